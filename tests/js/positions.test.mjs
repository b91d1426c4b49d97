/** Where a twin may stand in a store's state, and the stores that may show it. */
import { test } from 'node:test'
import { combineReducers, configureStore, createSlice } from '@reduxjs/toolkit'
import { applyMiddleware, legacy_createStore } from 'redux'
import { garbage } from './lib/garbage.mjs'
import { PATIENT, assert, complaints, equalsServer, isOnline, isSettled, rig, storeOf, twinError, twinOf, ui, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { bumped, created } from './models/orders.mjs'
import tasks, { finished } from './models/tasks.mjs'

const server = await startServer(['orders', 'tasks'])
const ann = { id: '1', customer: 'Ann' }
const shown = { id: '1', customer: 'Ann', count: 0 }

test('a slice beside others', async () => {
  const { twin, stream, store, orders } = rig({ server })
  const action = store.dispatch(created(ann))
  assert.deepEqual(store.getState(), { orders: { entities: { 1: shown } }, ui: { toggles: 0, seen: ['1'] } })
  assert.equal(await twin.confirmed(action), 1)
  await equalsServer(orders(), server, stream)
})

test('the whole state', async () => {
  const { twin, stream } = twinOf({ server })
  const { store } = storeOf(twin, { reducer: twin.reducer })
  store.dispatch(created(ann))
  await server.remote(stream, created({ id: '2', customer: 'Bob' }))
  await isSettled(twin, 2)
  assert.deepEqual(Object.keys(store.getState().entities), ['1', '2'])
  await equalsServer(store.getState(), server, stream)
})

test('nested in other slices', async () => {
  const { twin, stream } = twinOf({ server })
  const { store } = storeOf(twin, { reducer: { feature: combineReducers({ deep: combineReducers({ orders: twin.reducer }), ui: ui.reducer }) } })
  store.dispatch(created(ann))
  await server.remote(stream, created({ id: '2', customer: 'Bob' }))
  await isSettled(twin, 2)
  await equalsServer(store.getState().feature.deep.orders, server, stream)
  assert.deepEqual(store.getState().feature.ui.seen, ['1'])
})

test('classic Redux, without a toolkit', async () => {
  const { twin, stream } = twinOf({ server })
  const store = legacy_createStore(combineReducers({ orders: twin.reducer }), applyMiddleware(twin.middleware))
  const action = store.dispatch(created(ann))
  assert.deepEqual(store.getState().orders.entities, { 1: shown })
  await twin.confirmed(action)
  await equalsServer(store.getState().orders, server, stream)
})

test('two twins in one store: an action that both take is two entries under one stamp', async () => {
  const first = twinOf({ server })
  const second = twinOf({ server, model: 'tasks', reducer: tasks })
  const passed = []
  const store = configureStore({
    reducer: { orders: first.twin.reducer, tasks: second.twin.reducer },
    middleware: all => all(PATIENT).concat(first.twin.middleware, second.twin.middleware, () => next => action => {
      passed.push(action)
      return next(action)
    }),
    devTools: false,
  })
  const task = store.dispatch(finished())
  const given = created(ann)
  const returned = store.dispatch(given)
  assert.deepEqual(passed, [task, returned], 'each passed once')
  assert.equal(passed[1], returned)
  assert.deepEqual([first.calls.reducer > 0, second.calls.reducer > 0], [true, true])
  assert.equal(await first.twin.confirmed(returned), 1)
  assert.equal(await second.twin.confirmed(returned), 2)
  assert.deepEqual(await Promise.all([first.twin.confirmed(given), second.twin.confirmed(given)]), [1, 2])
  const [[order], [, both]] = [await server.events(first.stream), await server.events(second.stream)]
  assert.equal(order.action.meta.twin.id, both.action.meta.twin.id)
  assert.deepEqual([order.n, both.n], [1, 2], 'each stream counts by itself')
  assert.deepEqual(store.getState(), { orders: await server.state(first.stream), tasks: await server.state(second.stream) })
})

test('a preloaded state for a twin is refused; for other slices it is not', () => {
  const { twin } = twinOf()
  const preloadedState = { orders: { entities: { x: { id: 'x', customer: 'old', count: 0 } } } }
  assert.throws(() => storeOf(twin, { preloadedState }), twinError('preloaded-state', error => assert.match(error.message, /snapshot/)))
  const { store } = storeOf(twinOf().twin, { preloadedState: { ui: { toggles: 5, seen: [] } } })
  assert.equal(store.getState().ui.toggles, 5)
})

test('a snapshot is the state to begin with', () => {
  const { twin } = twinOf({ snapshot: { seq: 3, state: { entities: { 1: shown } } } })
  const { store, orders } = storeOf(twin)
  assert.deepEqual(orders().entities, { 1: shown })
  store.dispatch(bumped('1'))
  assert.equal(orders().entities[1].count, 1)
})

test('combineReducers anew, by replaceReducer', async () => {
  const { twin, stream, store, rebases } = rig({ server })
  await isOnline(twin)
  const heard = await complaints(async () => {
    await twin.confirmed(store.dispatch(created(ann)))
    store.replaceReducer(combineReducers({ orders: twin.reducer, ui: ui.reducer, more: (state = 1) => state }))
    await twin.confirmed(store.dispatch(bumped('1')))
  })
  assert.deepEqual(heard, [])
  assert.equal(store.getState().more, 1)
  await equalsServer(store.getState().orders, server, stream)
  assert.equal(rebases(), 0)
})

test('the model is swapped while the app runs', () => {
  const { twin, store, orders } = rig()
  store.dispatch(created(ann))
  const { reducer } = createSlice({ name: 'orders', initialState: { entities: {} }, reducers: { bumped: (state, { payload }) => void (state.entities[payload].count += 100) } })
  twin.replaceReducer(reducer)
  store.dispatch(bumped('1'))
  assert.equal(orders().entities[1].count, 100)
})

test('two stores on one twin show the same', async () => {
  const { twin, stream, store, orders } = rig({ server })
  await isOnline(twin)
  store.dispatch(created(ann))
  const second = storeOf(twin)
  assert.equal(second.orders(), orders(), 'the second begins where the twin is')
  second.store.dispatch(bumped('1'))
  assert.equal(orders().entities[1].count, 1)
  store.dispatch(bumped('1'))
  assert.equal(second.orders(), orders())
  await isSettled(twin, 3)
  // Not before: a bump that overtakes the order's creation changes nothing.
  await isSettled(twin, 3)
  await server.remote(stream, bumped('1'))
  await isSettled(twin, 4)
  assert.equal(orders().entities[1].count, 3)
  assert.equal(second.orders(), orders())
})

test('stores that nobody holds are collected, and the twin goes on', async () => {
  const { twin } = twinOf()
  const { store, orders } = storeOf(twin)
  const made = Array.from({ length: 10 }, () => {
    const other = storeOf(twin)
    other.store.dispatch(created({ id: crypto.randomUUID(), customer: 'Ann' }))
    return new WeakRef(other.store)
  })
  const left = () => made.filter(store => store.deref()).length
  await until('all ten are collected', async () => {
    await garbage()
    return left() === 0
  }, { seen: left })
  store.dispatch(created(ann))
  assert.equal(Object.keys(orders().entities).length, 11)
})
