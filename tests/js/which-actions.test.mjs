/** Which actions are twinned: by the change of state, by `sync`, by the action's own wish. */
import { test } from 'node:test'
import { assert, complaints, isOnline, isSettled, rig, storeOf, twinError, twinOf, ui } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import ordersReducer, { bumped, created, noted } from './models/orders.mjs'

const server = await startServer()
const ann = { id: '1', customer: 'Ann' }
const types = twin => twin.pending().map(({ action }) => action.type)

test('by default: what changes this twin’s state, and nothing else', async () => {
  const { twin, stream, store } = rig({ server })
  for (const action of [ui.actions.toggled(), { type: 'login/submit', payload: 'secret' }, created(ann), bumped('nobody’s'), created(ann), bumped('1')])
    store.dispatch(action)
  await isSettled(twin, 2)
  assert.deepEqual(await server.types(stream), ['orders/created', 'orders/bumped'])
})

test('what is not twinned passes on as the same object, unchecked', () => {
  const { twin } = twinOf()
  const passed = []
  const { store } = storeOf(twin, { checks: false, later: [() => next => action => (passed.push(action), next(action))] })
  const cyclic = { type: 'cyclic' }
  cyclic.self = cyclic
  const odd = [{ type: 'a', payload: () => {} }, { type: 'b', payload: 1n }, { type: 'c', payload: new Map() }, cyclic,
    Object.freeze({ type: 'd' }), JSON.parse('{"type":"e","__proto__":1}'), { type: 'f', payload: 'x'.repeat(100_000) }]
  for (const action of odd) assert.equal(store.dispatch(action), action)
  assert.deepEqual(passed, odd)
  odd.forEach((action, i) => assert.equal(passed[i], action))
  assert.equal(twin.status.pending, 0)
})

test('what is no action is left to Redux', () => {
  const { store } = rig()
  for (const nothing of [undefined, null, 5, 'text']) assert.throws(() => store.dispatch(nothing), error => error.name !== 'TwinError')
  assert.throws(() => store.dispatch({}), /type/)
  assert.throws(() => store.dispatch({ type: 5 }), /type/)
})

test('a prefix, and a list of them', () => {
  const one = rig({ sync: 'orders/' })
  one.store.dispatch(bumped('nobody’s'))
  one.store.dispatch(ui.actions.toggled())
  assert.deepEqual(types(one.twin), ['orders/bumped'], 'twinned although it changes nothing here')
  const several = rig({ sync: ['orders/created', 'ui/'] })
  for (const action of [created(ann), bumped('1'), ui.actions.toggled()]) several.store.dispatch(action)
  assert.deepEqual(types(several.twin), ['orders/created', 'ui/toggled'])
})

test('what the rule leaves out does not change the slice, though the reducer would', () => {
  const { store, orders, twin } = rig({ sync: 'orders/created' })
  store.dispatch(created(ann))
  store.dispatch(bumped('1'))
  assert.equal(orders().entities[1].count, 0)
  assert.deepEqual(types(twin), ['orders/created'])
})

test('a predicate', () => {
  const asked = []
  const { twin, store } = rig({ sync: action => (asked.push(action.type), action.payload === 'yes') })
  store.dispatch(noted('yes'))
  store.dispatch(noted('no'))
  assert.deepEqual(types(twin), ['orders/noted'])
  assert.deepEqual(asked, ['orders/noted', 'orders/noted'])
})

test('a predicate that throws: its error is the caller’s, and nothing is kept', () => {
  const { twin, store } = rig({ sync: () => { throw new RangeError('my own') } })
  assert.throws(() => store.dispatch(created(ann)), RangeError)
  assert.equal(twin.status.pending, 0)
})

test('meta.twin: false is never, true and an object are always', async () => {
  const { twin, store, orders } = rig()
  const wish = (action, twin) => ({ ...action, meta: { by: 'app', twin } })
  const never = wish(created(ann), false)
  assert.equal(store.dispatch(never), never)
  assert.deepEqual(orders().entities, {})
  store.dispatch(wish(bumped('nobody’s'), true))
  store.dispatch(wish({ type: 'stranger' }, {}))
  store.dispatch(wish({ type: 'stranger' }, { routing: 'optimistic' }))
  assert.deepEqual(types(twin), ['orders/bumped', 'stranger', 'stranger'])
  for (const { action } of twin.pending()) {
    assert.equal(action.meta.by, 'app', 'the rest of meta is kept')
    assert.equal(typeof action.meta.twin.id, 'string')
    assert.equal(Object.hasOwn(action.meta.twin, 'routing'), false, 'the wish is not part of the stamp')
  }
  const { twin: ruled, store: ruledStore } = rig({ sync: 'orders/' })
  ruledStore.dispatch(wish(created(ann), false))
  ruledStore.dispatch(wish({ type: 'stranger' }, true))
  assert.deepEqual(types(ruled), ['stranger'], 'the action’s wish goes before the rule')
})

test('the stamp says id, time, client and n; n counts by one', () => {
  const { twin, store } = rig({ user: 'ann' })
  const before = Date.now()
  const [first, second] = [store.dispatch(created(ann)), store.dispatch(bumped('1'))]
  const { id, at, client, n, user } = first.meta.twin
  assert.deepEqual(Object.keys(first.meta.twin).sort(), ['at', 'client', 'id', 'n', 'user'])
  assert.ok(at >= before && at <= Date.now())
  assert.deepEqual([n, user, second.meta.twin.n], [1, 'ann', 2])
  assert.equal(second.meta.twin.client, client)
  assert.notEqual(second.meta.twin.id, id)
  assert.deepEqual(twin.pending().map(row => [row.id, row.client, row.n, row.state]), [[`${client}:1`, client, 1, 'queued'], [`${client}:2`, client, 2, 'queued']])
  assert.deepEqual(twin.pending().map(row => row.action), [first, second])
})

test('a reducer that gives a new state for any action is refused, unless `sync` says which are meant', async () => {
  const restless = (state = { entities: {} }, action) => ({ ...ordersReducer(state, action) })
  assert.throws(() => twinOf({ reducer: restless }), twinError('impure-reducer', error => assert.match(error.message, /sync/)))
  const heard = await complaints(() => {
    const { twin, store } = rig({ reducer: restless, sync: 'orders/' })
    store.dispatch(ui.actions.toggled())
    store.dispatch(created(ann))
    assert.deepEqual(types(twin), ['orders/created'])
  })
  assert.deepEqual(heard, [], 'nothing is said of the wiring, which is right')
})

test('the frameworks’ own actions are never twinned, whatever the rule says', () => {
  const { twin, store } = rig({ sync: () => true })
  for (const type of ['@@redux/REPLACEx', '@@INIT', '@ngrx/store/init', '@@twin/rebase']) store.dispatch({ type })
  assert.equal(twin.status.pending, 0)
  store.dispatch({ type: 'x' })
  assert.equal(twin.status.pending, 1)
})

test('an action that another twin’s client dispatched enters by the log alone', async () => {
  const mine = rig({ server })
  const theirs = rig({ server, stream: mine.stream, name: 'another device' })
  await isOnline(mine.twin)
  await isOnline(theirs.twin)
  await mine.twin.confirmed(mine.store.dispatch(created(ann)))
  await isSettled(theirs.twin, 1)
  assert.deepEqual(theirs.orders(), mine.orders())
  assert.deepEqual(theirs.store.getState().ui.seen, [], 'other slices do not hear of it')
})
