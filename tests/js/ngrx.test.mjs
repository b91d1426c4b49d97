/** `twinstore/ngrx`: dispatches, rebases, effects and errors under all runtime checks. */
// First: it brings the compiler that the packages after it need.
import {
  STRICT, added, application, counted, failed, injectTwinStatus, ngrxRig, page, provideTwin, toggled, watch,
} from './lib/angular.mjs'
import { EnvironmentInjector, createEnvironmentInjector, inject, provideEnvironmentInitializer, runInInjectionContext } from '@angular/core'
import { Actions, createEffect, ofType, provideEffects } from '@ngrx/effects'
import { ActionsSubject, Store, createFeatureSelector, createSelector, provideState, provideStore } from '@ngrx/store'
import { filter, map, tap } from 'rxjs'
import { test } from 'node:test'
import { assert, complaints, equalsServer, isOnline, isSettled, newStream, rejectionOf, settle, twinError, twinOf, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { REBASE, REMOTE } from './lib/twinstore.mjs'
import shelf from './models/shelf.mjs'

const server = await startServer(['shelf'])

test('a dispatch shows at once, is stored, confirmed without a further emission, and equal to the server', async () => {
  const { twin, stream, store, state, seen, calls } = await ngrxRig({ server })
  await isOnline(twin)
  const emitted = seen.length
  store.dispatch(added({ id: '1' }))
  assert.deepEqual(state(), { shelf: { entities: { 1: { id: '1', count: 0 } } }, page: { toggles: 0, added: 1 } })
  assert.equal(seen.length, emitted + 1)
  const shown = state()
  const { reducer } = calls
  await isSettled(twin, 1)
  assert.equal(state(), shown)
  assert.equal(calls.reducer, reducer)
  await equalsServer(shown.shelf, server, stream)
})

test('others’ events and rejections are one rebase each, under all runtime checks; selectors and signals follow', async () => {
  const { twin, stream, store, shelf: slice, seen } = await ngrxRig({ server })
  await isOnline(twin)
  for (const id of ['1', '2']) store.dispatch(added({ id }))
  await isSettled(twin, 2)
  const [before, emitted] = [slice(), seen.length]
  await server.remote(stream, counted({ id: '2' }))
  await isSettled(twin, 3)
  assert.equal(seen.length, emitted + 1)
  assert.equal(slice().entities[1], before.entities[1])
  const total = createSelector(createFeatureSelector('shelf'), ({ entities }) => Object.values(entities).reduce((sum, { count }) => sum + count, 0))
  assert.equal(store.selectSignal(total)(), 1)
  store.dispatch(added({ id: 'forbidden' }))
  store.dispatch(counted({ id: '1' }))
  assert.deepEqual(Object.keys(slice().entities), ['1', '2', 'forbidden'])
  await isSettled(twin, 5)
  assert.deepEqual(Object.keys(slice().entities), ['1', '2'])
  assert.equal(store.selectSignal(total)(), 2)
  await equalsServer(slice(), server, stream)
})

test('confirmed takes the object that was dispatched: NgRx gives nothing back', async () => {
  const { twin, store } = await ngrxRig({ server })
  const [good, bad] = [added({ id: '1' }), added({ id: 'forbidden' })]
  assert.equal(store.dispatch(good)?.meta, undefined)
  store.dispatch(bad)
  assert.equal(await twin.confirmed(good), 1)
  assert.equal((await rejectionOf(twin.confirmed(bad))).reason, 'this one is forbidden')
})

test('effects hear each dispatched action once, stamped, after the reducers, and no rebase; they may dispatch in turn', async () => {
  const heard = []
  const providers = [provideEffects({
    all: createEffect((actions = inject(Actions), store = inject(Store)) => actions.pipe(tap(action => {
      heard.push([action.type, action.meta?.twin?.n, Object.keys(store.selectSignal(state => state.shelf.entities)()).length])
    })), { functional: true, dispatch: false }),
    chain: createEffect((actions = inject(Actions)) => actions.pipe(ofType(added), map(({ id }) => counted({ id }))), { functional: true }),
  })]
  const { twin, stream, store, shelf: slice } = await ngrxRig({ server, providers })
  await isOnline(twin)
  heard.length = 0
  store.dispatch(added({ id: '1' }))
  store.dispatch(toggled())
  await isSettled(twin, 2)
  await server.remote(stream, counted({ id: '1' }))
  await isSettled(twin, 3)
  assert.deepEqual(heard, [['[Shelf] added', 1, 1], ['[Shelf] counted', 2, 1], ['[Page] toggled', undefined, 1]])
  assert.equal(slice().entities[1].count, 2)
  await equalsServer(slice(), server, stream)
})

test('a reducer that throws is the caller’s error, and the store lives on', async () => {
  const { twin, store, shelf: slice, state } = await ngrxRig()
  assert.throws(() => store.dispatch(failed()), { message: 'this action always throws' })
  assert.equal(twin.status.pending, 0)
  store.dispatch(added({ id: '1' }))
  store.dispatch(toggled())
  assert.deepEqual([slice().entities[1].count, state().page.toggles, twin.status.pending], [0, 1, 1])
})

test('`validate`, bad input and a full outbox throw to the caller, and the store lives on', async () => {
  const { twin, store, shelf: slice } = await ngrxRig({
    options: { validate: (_, action) => (action.id === 'forbidden' ? 'no' : undefined), limits: { outboxActions: 1 } }, checks: { strictActionSerializability: false },
  })
  assert.throws(() => store.dispatch(added({ id: 'forbidden' })), twinError('invalid'))
  assert.throws(() => store.dispatch({ ...added({ id: '1' }), done: () => {} }), twinError('not-plain'))
  store.dispatch(added({ id: '1' }))
  assert.throws(() => store.dispatch(counted({ id: '1' })), twinError('outbox-full'))
  assert.deepEqual(slice().entities, { 1: { id: '1', count: 0 } })
  assert.equal(twin.status.pending, 1)
})

test('a subscriber that dispatches in turn: in order of n, and equal to the server', async () => {
  const { twin, stream, store, shelf: slice } = await ngrxRig({ server })
  let once = true
  store.subscribe(state => {
    if (!once || !state.shelf.entities[1]) return
    once = false
    store.dispatch(counted({ id: '1' }))
    store.dispatch(counted({ id: '1' }))
  })
  store.dispatch(added({ id: '1' }))
  await isSettled(twin, 3)
  assert.deepEqual((await server.events(stream)).map(({ n, action }) => [n, action.type]), [[1, '[Shelf] added'], [2, '[Shelf] counted'], [3, '[Shelf] counted']])
  assert.equal(slice().entities[1].count, 2)
  await equalsServer(slice(), server, stream)
})

test('actions as classes work', async () => {
  class Counted {
    type = '[Shelf] counted'
    constructor(id) { this.id = id }
  }
  const { twin, stream, store, shelf: slice } = await ngrxRig({ server, checks: { ...STRICT, strictActionSerializability: false } })
  store.dispatch(added({ id: '1' }))
  store.dispatch(new Counted('1'))
  await isSettled(twin, 2)
  assert.equal(slice().entities[1].count, 1)
  await equalsServer(slice(), server, stream)
})

test('`routing: server`: the store and effects hear of it with the verdict, and never of a rejected one', async () => {
  const heard = []
  const all = createEffect((actions = inject(Actions)) => actions.pipe(ofType(added), tap(({ id }) => heard.push(id))), { functional: true, dispatch: false })
  const { twin, stream, store, shelf: slice } = await ngrxRig({ server, options: { routing: 'server' }, providers: [provideEffects({ all })] })
  await isOnline(twin)
  server.freeze()
  const sent = [added({ id: '1' }), added({ id: 'forbidden' })]
  for (const action of sent) store.dispatch(action)
  assert.deepEqual([heard, slice().entities], [[], {}])
  server.thaw()
  await Promise.allSettled(sent.map(action => twin.confirmed(action)))
  await isSettled(twin, 2)
  assert.deepEqual([heard, Object.keys(slice().entities)], [['1'], ['1']])
  await equalsServer(slice(), server, stream)
})

test('two twins in one store', async () => {
  const [one, two] = [twinOf({ server, model: 'shelf', reducer: shelf }), twinOf({ server, model: 'shelf', reducer: shelf })]
  const app = await application(provideStore({ one: one.twin.reducer, two: two.twin.reducer }, { runtimeChecks: STRICT }), provideTwin(one.twin, two.twin))
  const { store, state } = watch(app)
  const action = added({ id: '1' })
  store.dispatch(action)
  assert.deepEqual(await Promise.all([one.twin.confirmed(action), two.twin.confirmed(action)]), [1, 1])
  const [[first], [second]] = await Promise.all([one, two].map(({ stream }) => server.events(stream)))
  assert.equal(first.action.meta.twin.id, second.action.meta.twin.id)
  assert.deepEqual(state().one, state().two)
})

test('provideTwin before provideStore: an error that says the order', async () => {
  const { twin } = twinOf({ model: 'shelf', reducer: shelf })
  await assert.rejects(application(provideTwin(twin), provideStore({ shelf: twin.reducer })), twinError('wiring', ({ message }) => assert.match(message, /after provideStore/)))
})

test('what ngrxOnInitEffects dispatches is twinned, wherever the effects stand', async () => {
  class Boot {
    ngrxOnInitEffects() { return added({ id: 'boot' }) }
  }
  const made = twinOf({ model: 'shelf', reducer: shelf })
  const app = await application(provideStore({ shelf: made.twin.reducer }, { runtimeChecks: STRICT }), provideEffects(Boot), provideTwin(made.twin))
  assert.deepEqual(watch(app).shelf().entities, { boot: { id: 'boot', count: 0 } })
  assert.equal(made.twin.status.pending, 1)
})

test('what an initializer dispatches is twinned too', async () => {
  const made = twinOf({ model: 'shelf', reducer: shelf })
  const early = provideEnvironmentInitializer(() => inject(Store).dispatch(added({ id: 'early' })))
  const app = await application(provideStore({ shelf: made.twin.reducer }), early, provideTwin(made.twin))
  assert.deepEqual(Object.keys(watch(app).shelf().entities), ['early'])
  assert.equal(made.twin.status.pending, 1)
})

test('a lazy feature: provideTwin() in the root, the twin where the feature is; it leaves with the feature', async () => {
  const made = twinOf({ server, model: 'shelf', reducer: shelf })
  await isOnline(made.twin)
  await isSettled(made.twin, await server.remote(made.stream, added({ id: 'before' })))
  const app = await application(provideStore({ page }, { runtimeChecks: STRICT }), provideTwin())
  const { store, shelf: slice } = watch(app)
  const feature = createEnvironmentInjector([provideState('shelf', made.twin.reducer), provideTwin(made.twin)], app.injector.get(EnvironmentInjector))
  assert.deepEqual(Object.keys(slice().entities), ['before'])
  store.dispatch(added({ id: 'mine' }))
  await server.remote(made.stream, added({ id: 'theirs' }))
  await isSettled(made.twin, 3)
  assert.deepEqual(Object.keys(slice().entities).sort(), ['before', 'mine', 'theirs'])
  await equalsServer(slice(), server, made.stream)
  feature.destroy()
  store.dispatch(added({ id: 'after' }))
  assert.equal(made.twin.status.pending, 0, 'nobody takes it any more')
  await isSettled(made.twin, await server.remote(made.stream, added({ id: 'later' })))
  assert.equal(slice().entities.later, undefined, 'nor is the slice told')
})

test('a twin in two lazy features stays until both are gone', async () => {
  const made = twinOf({ model: 'shelf', reducer: shelf })
  const app = await application(provideStore({ shelf: made.twin.reducer }), provideTwin())
  const { store } = watch(app)
  const features = [1, 2].map(() => createEnvironmentInjector([provideTwin(made.twin)], app.injector.get(EnvironmentInjector)))
  store.dispatch(added({ id: '1' }))
  assert.equal(made.twin.status.pending, 1, 'taken once')
  features[0].destroy()
  store.dispatch(added({ id: '2' }))
  assert.equal(made.twin.status.pending, 2)
  features[1].destroy()
  store.dispatch(added({ id: '3' }))
  assert.equal(made.twin.status.pending, 2)
})

test('a lazy feature without provideTwin() in the root: the error says what is missing', async () => {
  const { twin } = twinOf({ model: 'shelf', reducer: shelf })
  const app = await application(provideStore({ page }))
  assert.throws(() => createEnvironmentInjector([provideState('shelf', twin.reducer), provideTwin(twin)], app.injector.get(EnvironmentInjector)),
    twinError('wiring', ({ message }) => assert.match(message, /root/)))
})

test('a destroyed application lets go of its twin, which serves the next one', async () => {
  const first = await ngrxRig({ server })
  await first.twin.confirmed((first.store.dispatch(added({ id: '1' })), first.twin.pending()[0].action))
  first.app.destroy()
  const heard = await complaints(async () => isSettled(first.twin, await server.remote(first.stream, counted({ id: '1' }))))
  assert.deepEqual(heard, [])
  const second = await ngrxRig({ twin: first })
  assert.equal(second.shelf().entities[1].count, 1)
  second.store.dispatch(counted({ id: '1' }))
  await isSettled(second.twin, 3)
  await equalsServer(second.shelf(), server, second.stream)
})

test('the status as a signal', async () => {
  const { app, twin, store } = await ngrxRig({ server })
  const status = runInInjectionContext(app.injector, () => injectTwinStatus(twin))
  assert.equal(status(), twin.status)
  await isOnline(twin)
  assert.equal(status().link, 'online')
  store.dispatch(added({ id: '1' }))
  assert.equal(status().pending, 1)
  await isSettled(twin, 1)
  assert.deepEqual([status().pending, status().cursor], [0, 1])
  app.destroy()
  twin.disconnect()
  assert.equal(status().link, 'online', 'no more after the application')
})

test('open: the slice, the selectors and the status signal go to another stream, and back; before that a dispatch throws', async () => {
  const { app, twin, store, shelf: slice } = await ngrxRig({ options: { name: 'shelf', stream: undefined } })
  const status = runInInjectionContext(app.injector, () => injectTwinStatus(twin))
  const ids = store.selectSignal(createSelector(createFeatureSelector('shelf'), ({ entities }) => Object.keys(entities)))
  assert.throws(() => store.dispatch(added({ id: '1' })), twinError('not-open'))
  store.dispatch(toggled())
  const [first, second] = [newStream('shelf'), newStream('shelf')]
  await twin.open({ stream: first })
  store.dispatch(added({ id: '1' }))
  assert.deepEqual([ids(), status().pending], [['1'], 1])
  await twin.open({ stream: second })
  assert.deepEqual([ids(), status().pending, Object.keys(slice().entities)], [[], 0, []])
  store.dispatch(added({ id: '2' }))
  store.dispatch(added({ id: '3' }))
  assert.deepEqual([ids(), status().pending], [['2', '3'], 2])
})

test('NgRx’s own actions and the rebase pass through', async () => {
  const { app, twin, store } = await ngrxRig({ options: { sync: () => true } })
  const types = []
  app.injector.get(ActionsSubject).subscribe(({ type }) => types.push(type))
  store.addReducer('more', (state = 1) => state)
  assert.equal(twin.status.pending, 0)
  assert.ok(types.includes('@ngrx/store/update-reducers'))
  assert.ok(!types.includes(REBASE))
})

test('what is no action is NgRx’s own error', async () => {
  const { store, twin } = await ngrxRig()
  for (const nothing of [undefined, null, 5, {}]) assert.throws(() => store.dispatch(nothing), TypeError)
  await settle()
  assert.equal(twin.status.pending, 0)
  await until('the store lives', () => { store.dispatch(toggled()); return true })
})

test('`announce`: effects hear of others’ changes, after the reducers; what they dispatch in turn is twinned', async () => {
  const heard = []
  const effects = {
    hears: createEffect((actions = inject(Actions)) => actions.pipe(tap(({ type }) => heard.push(type))), { functional: true, dispatch: false }),
    answers: createEffect((actions = inject(Actions)) => actions.pipe(
      ofType(REMOTE), filter(({ meta }) => meta.twin.name !== undefined), map(() => counted({ id: '1' }))), { functional: true }),
  }
  const { twin, stream, store, shelf } = await ngrxRig({ server, options: { announce: true }, providers: [provideEffects(effects)] })
  await isOnline(twin)
  store.dispatch(added({ id: '1' }))
  await isSettled(twin, 1)
  await isSettled(twin, await server.remote(stream, counted({ id: '1' })))
  await settle(20)
  await isSettled(twin, 3)
  assert.deepEqual(heard.filter(type => type.startsWith('@@twin') || type.startsWith('[Shelf]')), [added.type, REMOTE, counted.type])
  assert.equal(shelf().entities[1].count, 2)
  await equalsServer(shelf(), server, stream)
})
