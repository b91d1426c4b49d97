/** What happens within a dispatch, in which order, and what a throw leaves behind. */
import { test } from 'node:test'
import { combineReducers } from '@reduxjs/toolkit'
import { applyMiddleware, legacy_createStore } from 'redux'
import { assert, complaints, equalsServer, isOnline, isSettled, rig, storeOf, twinError, twinOf } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import ordersReducer, { bumped, created, doubled, failed, noted, validate } from './models/orders.mjs'

const server = await startServer()
const ann = { id: '1', customer: 'Ann' }
const pendingTypes = twin => twin.pending().map(({ n, action }) => [n, action.type])

test('a dispatch reduces once, shows at once, and gives back the stamped action', () => {
  const { twin, store, orders, calls, below } = rig()
  const given = Object.freeze(created(ann))
  const before = calls.reducer
  const stamped = store.dispatch(given)
  assert.equal(calls.reducer - before, 1)
  assert.equal(orders().entities[1].customer, 'Ann')
  assert.notEqual(stamped, given)
  assert.equal(given.meta, undefined)
  assert.deepEqual(stamped, { ...given, meta: { twin: stamped.meta.twin } })
  assert.deepEqual(below, ['orders/created'])
  assert.deepEqual(pendingTypes(twin), [[1, 'orders/created']])
})

test('the twin’s reducer throws: the caller’s error, nothing stored, nothing shown, the next one works', () => {
  const { twin, store, orders, below } = rig()
  store.dispatch(created(ann))
  const state = orders()
  assert.throws(() => store.dispatch(failed()), { message: 'this action always throws' })
  assert.equal(orders(), state)
  assert.deepEqual(pendingTypes(twin), [[1, 'orders/created']])
  assert.equal(below.length, 1)
  assert.equal(store.dispatch(bumped('1')).meta.twin.n, 2, 'no number was used')
})

for (const place of ['before', 'after'])
  test(`another reducer, ${place} the twin’s, throws: the action stays, its slice shows it, the error is the caller’s`, () => {
    const { twin } = twinOf()
    const bad = (state = 0, { type }) => { if (type === created.type) throw new Error('the other broke'); return state }
    const reducer = place === 'before' ? { bad, orders: twin.reducer } : { orders: twin.reducer, bad }
    const { store, orders } = storeOf(twin, { reducer })
    assert.throws(() => store.dispatch(created(ann)), { message: 'the other broke' })
    assert.deepEqual(pendingTypes(twin), [[1, 'orders/created']])
    assert.equal(orders().entities[1].customer, 'Ann')
    store.dispatch(bumped('1'))
    assert.equal(orders().entities[1].count, 1)
  })

test('a subscriber throws: the action stays, as in Redux', () => {
  const { twin } = twinOf()
  const store = legacy_createStore(combineReducers({ orders: twin.reducer }), applyMiddleware(twin.middleware))
  const stop = store.subscribe(() => { throw new Error('the subscriber broke') })
  complaints(() => assert.throws(() => store.dispatch(created(ann)), { message: 'the subscriber broke' }))
  stop()
  assert.deepEqual(pendingTypes(twin), [[1, 'orders/created']])
  store.dispatch(bumped('1'))
  assert.equal(store.getState().orders.entities[1].count, 1)
})

test('a later middleware throws: the action stays and is shown', () => {
  const { twin } = twinOf()
  const throwing = () => next => action => { if (action.type === created.type) throw new Error('the middleware broke'); return next(action) }
  const { store, orders } = storeOf(twin, { later: [throwing] })
  assert.throws(() => store.dispatch(created(ann)), { message: 'the middleware broke' })
  assert.equal(orders().entities[1].customer, 'Ann')
  assert.equal(twin.status.pending, 1)
})

test('a dispatch within a reducer is refused, wherever that reducer stands', () => {
  const outer = {}
  const { twin } = twinOf()
  const meddling = (state = 0, { type }) => { if (type === 'meddle') outer.store.dispatch(created(ann)); return state }
  outer.store = storeOf(twin, { reducer: { orders: twin.reducer, meddling }, checks: false }).store
  assert.throws(() => outer.store.dispatch({ type: 'meddle' }), /reducer is executing/)
  assert.equal(twin.status.pending, 0)

  const own = (state = { entities: {} }, action) => { if (action.type === 'meddle') outer.own.dispatch(created(ann)); return ordersReducer(state, action) }
  const second = rig({ reducer: own })
  outer.own = second.store
  assert.throws(() => outer.own.dispatch({ type: 'meddle' }), error => twinError('reducing')(error))
  assert.equal(second.twin.status.pending, 0)
  outer.own.dispatch(created(ann))
  assert.equal(second.twin.status.pending, 1, 'and the twin is not left in its reducer')
})

test('a dispatch within `validate` is refused', () => {
  const outer = {}
  outer.store = rig({ validate: () => { outer.store.dispatch(bumped('1')) } }).store
  assert.throws(() => outer.store.dispatch(created(ann)), twinError('reducing'))
})

test('a subscriber that dispatches in turn comes after: in n, in the outbox, in the log', async () => {
  const { twin, stream, store, orders, calls, rebases } = rig({ server })
  await isOnline(twin)
  const stop = store.subscribe(() => {
    stop()
    store.dispatch(bumped('1'))
    store.dispatch(doubled('1'))
  })
  const before = calls.reducer
  store.dispatch(created(ann))
  assert.equal(calls.reducer - before, 3)
  assert.equal(orders().entities[1].count, 2)
  await isSettled(twin, 3)
  assert.deepEqual((await server.events(stream)).map(({ n, action }) => [n, action.type]),
    [[1, 'orders/created'], [2, 'orders/bumped'], [3, 'orders/doubled']])
  assert.equal(rebases(), 0)
  await equalsServer(orders(), server, stream)
})

test('one action object dispatched twice, frozen, and the returned one again: each is an action of its own', async () => {
  const { twin, stream, store, orders } = rig({ server })
  store.dispatch(created(ann))
  const same = Object.freeze(bumped('1'))
  const first = store.dispatch(same)
  const second = store.dispatch(same)
  const third = store.dispatch(Object.freeze(second))
  assert.equal(orders().entities[1].count, 3)
  await isSettled(twin, 4)
  const events = await server.events(stream)
  assert.deepEqual(events.map(event => event.n), [1, 2, 3, 4])
  assert.equal(new Set(events.map(event => event.action.meta.twin.id)).size, 4)
  assert.deepEqual([first, second, third].map(action => action.meta.twin.n), [2, 3, 4])
  assert.deepEqual(await Promise.all([first, third].map(action => twin.confirmed(action))), [2, 4])
  assert.deepEqual(await Promise.all([same, second].map(action => twin.confirmed(action))), [3, 4], 'an object names the last action made of it')
  await equalsServer(orders(), server, stream)
})

test('`validate` says no: TwinError `invalid` with its reason, nothing stored, nothing shown, no number used', () => {
  const seen = []
  const { twin, store, orders, below } = rig({ validate: (state, action) => (seen.push([state, action.meta.twin.n]), validate(state, action)) })
  const state = orders()
  assert.throws(() => store.dispatch(created({ id: '1', customer: 'nobody' })), twinError('invalid', ({ message }) => assert.equal(message, 'nobody orders nothing')))
  assert.equal(orders(), state)
  assert.equal(twin.status.pending, 0)
  assert.deepEqual(below, [])
  store.dispatch(created(ann))
  assert.deepEqual(seen.map(([, n]) => n), [1, 1])
  assert.equal(seen[0][0], state, 'asked about the state before')
})

test('a `validate` that throws is the caller’s error, and nothing is kept', () => {
  const { twin, store, orders } = rig({ validate: () => { throw new RangeError('my own') } })
  assert.throws(() => store.dispatch(noted('x')), RangeError)
  assert.equal(twin.status.pending, 0)
  assert.equal(orders().note, undefined)
})
