/** `announce`: sagas, listeners and effects hear that the slice changed, once a change, by an action that no twin takes. */
import { createListenerMiddleware } from '@reduxjs/toolkit'
import { test } from 'node:test'
import { assert, complaints, equalsServer, isOnline, isSettled, rig, settle, storeOf, twinError, twinOf } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { REMOTE, createTwin } from './lib/twinstore.mjs'
import ordersReducer, { bumped, created } from './models/orders.mjs'

const server = await startServer(['orders'])
const order = (id, customer = 'Ann') => created({ id, customer })
const announced = (below, type = REMOTE) => below.filter(seen => seen === type).length

/** A middleware that keeps what passes. */
const watcher = () => {
  const seen = []
  return { seen, watch: () => next => action => (seen.push(action), next(action)) }
}

test('others’ events are announced, once a change; own confirmations, in order, are not', async () => {
  const { seen, watch } = watcher()
  const { twin, stream, store, below, orders } = rig({ server, announce: true, store: { before: [watch] } })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('1')))
  store.dispatch(bumped('1'))
  await isSettled(twin, 2)
  assert.equal(announced(below), 0)
  await isSettled(twin, await server.remote(stream, bumped('1')))
  await isSettled(twin, await server.remote(stream, bumped('1')))
  assert.equal(announced(below), 2)
  await isSettled(twin, await server.remote(stream, bumped('nobody’s')))
  assert.equal(announced(below), 2, 'a rejection of another’s changes nothing')
  assert.deepEqual(seen.findLast(({ type }) => type === REMOTE), { type: REMOTE, meta: { twin: { name: stream } } })
  assert.equal(twin.status.pending, 0)
  await equalsServer(orders(), server, stream)
})

test('a rejection that rolls back is announced, and the stored state is there when it is', async () => {
  const { twin, store, below, orders } = rig({ server, announce: true })
  const { seen, watch } = watcher()
  const shown = []
  const second = storeOf(twin, { before: [watch, ({ getState }) => next => action => (shown.push(Object.keys(getState().orders.entities)), next(action))] })
  await isOnline(twin)
  store.dispatch(order('1', 'nobody'))
  await isSettled(twin, 1)
  assert.deepEqual(orders().entities, {})
  assert.equal(announced(below), 1)
  assert.deepEqual([seen.map(({ type }) => type), shown], [[REMOTE], [[]]], 'the other store hears it too, with the new state')
  assert.deepEqual(second.orders(), orders())
})

test('with a type of the app’s own; whatever `sync` says, it is never twinned', async () => {
  const { twin, stream, store, below } = rig({ server, announce: 'orders/changedElsewhere', sync: 'orders/' })
  await twin.confirmed(store.dispatch(order('1')))
  await isSettled(twin, await server.remote(stream, bumped('1')))
  assert.equal(announced(below, 'orders/changedElsewhere'), 1)
  await settle()
  assert.deepEqual(await server.types(stream), ['orders/created', 'orders/bumped'])
})

test('a listener may dispatch in turn: what it dispatches is twinned, and announced to nobody', async () => {
  const listener = createListenerMiddleware()
  const { twin, stream, store, below, orders } = rig({ server, announce: true, store: { before: [listener.middleware] } })
  await twin.confirmed(store.dispatch(order('1')))
  listener.startListening({ type: REMOTE, effect: (action, { dispatch }) => void dispatch(bumped('1')) })
  await isSettled(twin, await server.remote(stream, bumped('1')))
  await settle(20)
  await isSettled(twin, 3)
  assert.deepEqual([orders().entities[1].count, announced(below)], [2, 1])
  await equalsServer(orders(), server, stream)
})

test('a middleware that throws at it is complained about, and breaks nothing', async () => {
  const fussy = () => next => action => {
    if (action.type === REMOTE) throw new Error('fussy')
    return next(action)
  }
  const { twin, stream, store, orders } = rig({ server, announce: true, store: { before: [fussy] } })
  await twin.confirmed(store.dispatch(order('1')))
  const heard = await complaints(async () => isSettled(twin, await server.remote(stream, bumped('1'))))
  assert.match(heard.join(), /a store threw while it was told of a change/)
  await twin.confirmed(store.dispatch(bumped('1')))
  await equalsServer(orders(), server, stream)
})

test('without the option nothing is announced; a bad one is refused', async () => {
  const { twin, stream, store, below } = rig({ server })
  await twin.confirmed(store.dispatch(order('1')))
  await isSettled(twin, await server.remote(stream, bumped('1')))
  assert.equal(announced(below), 0)
  for (const announce of [5, {}, null, '@@twin/rebase'])
    assert.throws(() => createTwin({ url: null, stream: 'orders/x', reducer: ordersReducer, announce }), twinError('bad-option'))
})
