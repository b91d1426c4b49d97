/** Middleware behind the twin that interferes, and stores that are wired wrongly: the slice is right, or it is said why not. */
import { test } from 'node:test'
import { combineReducers, configureStore } from '@reduxjs/toolkit'
import { PATIENT, assert, complaints, equalsServer, isOnline, isSettled, rig, settle, storeOf, twinOf, ui } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import ordersReducer, { bumped, created, doubled } from './models/orders.mjs'
import { REBASE } from './lib/twinstore.mjs'

const server = await startServer()
const ann = { id: '1', customer: 'Ann' }
const delayed = () => {
  const waiting = []
  return { waiting, middleware: () => next => action => (action.type === REBASE ? next(action) : void waiting.push(() => next(action))) }
}
const LATER = {
  swallows: () => () => next => action => (action.type === bumped.type ? action : next(action)),
  copies: () => () => next => action => next({ ...action }),
  'dispatches first': () => ({ dispatch }) => next => action => {
    if (action.type === bumped.type) dispatch(doubled('1'))
    return next(action)
  },
  'passes twice': () => () => next => action => (next(action), next(action)),
}

for (const [does, make] of Object.entries(LATER))
  test(`a later middleware that ${does}: every dispatch ends right, and equal to the server`, async () => {
    const { twin, stream } = twinOf({ server })
    const { store, orders } = storeOf(twin, { later: [make()], checks: false })
    await isOnline(twin)
    await complaints(async () => {
      store.dispatch(created(ann))
      for (let i = 0; i < 3; i++) store.dispatch(bumped('1'))
      // What is dispatched on the way is numbered after it: ((0+1)·2+1)·2+1)·2.
      assert.equal(orders().entities[1].count, does === 'dispatches first' ? 14 : 3)
      await isSettled(twin, does === 'dispatches first' ? 7 : 4)
      await equalsServer(orders(), server, stream)
    })
  })

test('a later middleware that delays: right at once, and still after what was delayed has come', async () => {
  const { waiting, middleware } = delayed()
  const { twin, stream } = twinOf({ server })
  const { store, orders } = storeOf(twin, { later: [middleware], checks: false })
  await isOnline(twin)
  await complaints(async () => {
    store.dispatch(created(ann))
    store.dispatch(bumped('1'))
    assert.equal(orders().entities[1].count, 1)
    await isSettled(twin, 2)
    for (const go of waiting) go()
    store.dispatch(bumped('1'))
    assert.equal(orders().entities[1].count, 2)
    for (const go of waiting.splice(0)) go()
    await server.remote(stream, bumped('1'))
    await isSettled(twin, 4)
  })
  await equalsServer(orders(), server, stream)
})

test('three dispatches astray in a row: a developer error that names the causes, said once', async () => {
  const { twin } = twinOf()
  const { store } = storeOf(twin, { later: [LATER.copies()], checks: false })
  const heard = await complaints(() => {
    store.dispatch(created(ann))
    for (let i = 0; i < 10; i++) store.dispatch(bumped('1'))
  })
  assert.equal(heard.length, 1)
  assert.match(heard[0], /middleware/)
  assert.equal(twin.status.lastError.code, 'wiring')
})

test('one dispatch astray is healed without a word', async () => {
  const { twin } = twinOf()
  const { store, orders, rebases } = storeOf(twin, { later: [LATER.swallows()], checks: false })
  const heard = await complaints(() => {
    for (const id of ['1', '2', '3']) {
      store.dispatch(created({ id, customer: 'Ann' }))
      store.dispatch(bumped(id))
    }
  })
  assert.deepEqual(heard, [])
  assert.deepEqual(Object.values(orders().entities).map(({ count }) => count), [1, 1, 1])
  assert.equal(rebases(), 3, 'one each')
})

test('the middleware was forgotten: said once, at the first action that should have changed the slice', async () => {
  const { twin } = twinOf()
  const store = configureStore({ reducer: { orders: twin.reducer, ui: ui.reducer }, middleware: all => all(PATIENT), devTools: false })
  const heard = await complaints(() => {
    store.dispatch(ui.actions.toggled())
    assert.equal(twin.status.pending, 0)
    for (const id of ['1', '2']) store.dispatch(created({ id, customer: 'Ann' }))
  })
  assert.equal(heard.length, 1)
  assert.match(heard[0], /middleware is not in this store/)
  assert.deepEqual(store.getState().orders.entities, {}, 'it could not survive a rebase')
})

test('the reducer was forgotten: said', async () => {
  const { twin } = twinOf()
  const { store } = storeOf(twin, { reducer: { orders: ordersReducer } })
  const heard = await complaints(() => { for (const id of ['1', '2', '3', '4']) store.dispatch(created({ id, customer: 'Ann' })) })
  assert.equal(heard.length, 1)
  assert.match(heard[0], /reducer is missing/)
  assert.equal(twin.status.pending, 4, 'nothing is lost')
})

test('a reducer wrapped round the twin that resets its slice: the next twinned action heals it', async () => {
  const { twin } = twinOf()
  const inner = combineReducers({ orders: twin.reducer, ui: ui.reducer })
  const { store, orders } = storeOf(twin, { reducer: (state, action) => inner(action.type === 'logout' ? undefined : state, action) })
  store.dispatch(created(ann))
  store.dispatch({ type: 'logout' })
  assert.deepEqual(orders().entities, {}, 'the app’s own doing')
  store.dispatch(created({ id: '2', customer: 'Bob' }))
  assert.deepEqual(Object.keys(orders().entities), ['1', '2'])
})

test('a remote event heals a slice that was led astray', async () => {
  const { twin, stream } = twinOf({ server })
  const inner = combineReducers({ orders: twin.reducer, ui: ui.reducer })
  const { store, orders } = storeOf(twin, { reducer: (state, action) => inner(action.type === 'logout' ? undefined : state, action) })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(created(ann)))
  store.dispatch({ type: 'logout' })
  await server.remote(stream, bumped('1'))
  await isSettled(twin, 2)
  await equalsServer(orders(), server, stream)
})

test('a rebase that is swallowed stays due', async () => {
  let locked = false
  const lock = () => next => action => (locked ? action : next(action))
  const { twin, stream } = twinOf({ server })
  const { store, orders } = storeOf(twin, { later: [lock], checks: false })
  await isOnline(twin)
  await complaints(async () => {
    await twin.confirmed(store.dispatch(created(ann)))
    locked = true
    store.dispatch(bumped('1'))
    await server.remote(stream, bumped('1'))
    await isSettled(twin, 3)
    assert.equal(orders().entities[1].count, 0)
    locked = false
    store.dispatch(bumped('1'))
    await settle()
    await isSettled(twin, 4)
  })
  await equalsServer(orders(), server, stream)
})
