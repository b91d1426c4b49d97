/** `routing: 'server'`: an action enters the store with its verdict, once, and never if rejected. */
import { test } from 'node:test'
import { createListenerMiddleware } from '@reduxjs/toolkit'
import { assert, equalsServer, isOnline, isSettled, rejectionOf, rig, settle, storeOf, twinError, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { bumped, created, noted } from './models/orders.mjs'

const server = await startServer()
const order = (id, customer = 'Ann') => created({ id, customer })
const routed = action => ({ ...action, meta: { twin: { routing: 'server' } } })

/** A twin with routing by the server, online. */
async function online(options = {}) {
  const made = rig({ server, routing: 'server', ...options })
  await isOnline(made.twin)
  return made
}

test('online: not shown until its verdict; then it enters once, through `next`, as the action that dispatch gave', async () => {
  const { twin, stream, store, orders, below } = await online()
  const told = []
  store.subscribe(() => told.push(Object.keys(orders().entities).length))
  const state = orders()
  server.freeze()
  const action = store.dispatch(order('1'))
  assert.equal(typeof action.meta.twin.id, 'string')
  await settle()
  assert.deepEqual([orders() === state, below, told, twin.status.pending], [true, [], [], 1])
  assert.deepEqual(store.getState().ui.seen, [])
  server.thaw()
  assert.equal(await twin.confirmed(action), 1)
  assert.deepEqual(below, ['orders/created'])
  assert.deepEqual(told, [1])
  assert.deepEqual(store.getState().ui.seen, ['1'], 'other slices hear of it now, once')
  await equalsServer(orders(), server, stream)
})

test('`confirmed` resolves when the action is in the store', async () => {
  const { twin, store, orders } = await online()
  for (let i = 0; i < 5; i++) {
    await twin.confirmed(store.dispatch(order(`${i}`)))
    assert.equal(orders().entities[i].customer, 'Ann')
  }
})

test('rejected: it never enters, no reducer of the store sees it, no subscriber is told', async () => {
  const { twin, store, orders, below } = await online()
  const state = orders()
  let told = 0
  store.subscribe(() => told++)
  const error = await rejectionOf(twin.confirmed(store.dispatch(order('1', 'nobody'))))
  twinError('rejected')(error)
  await isSettled(twin, 1)
  assert.equal(orders(), state)
  assert.deepEqual([below, told, store.getState().ui.seen], [[], 0, []])
})

test('several in flight enter in order, each once, rejected ones left out', async () => {
  const { twin, stream, store, orders, below } = await online()
  server.freeze()
  const sent = [order('1'), order('2', 'nobody'), order('3'), bumped('1'), bumped('3')].map(action => store.dispatch(action))
  server.thaw()
  await Promise.allSettled(sent.map(action => twin.confirmed(action)))
  await isSettled(twin, 5)
  assert.deepEqual(below.filter(type => !type.startsWith('@@')), ['orders/created', 'orders/created', 'orders/bumped', 'orders/bumped'])
  assert.deepEqual(store.getState().ui.seen, ['1', '3'])
  await equalsServer(orders(), server, stream)
})

test('an update of an entity that is in flight is twinned too', async () => {
  const { twin, stream, store, orders } = await online()
  server.freeze()
  store.dispatch(order('1'))
  store.dispatch(bumped('1'))
  store.dispatch(bumped('nobody’s'))
  assert.deepEqual(twin.pending().map(({ action }) => action.type), ['orders/created', 'orders/bumped'])
  server.thaw()
  await isSettled(twin, 2)
  assert.equal(orders().entities[1].count, 1)
  await equalsServer(orders(), server, stream)
})

test('an optimistic action behind one in flight is judged with it in, and ends right', async () => {
  const { twin, stream, store, orders } = await online()
  server.freeze()
  store.dispatch(order('1'))
  store.dispatch({ ...bumped('1'), meta: { twin: { routing: 'optimistic' } } })
  assert.equal(twin.status.pending, 2)
  server.thaw()
  await isSettled(twin, 2)
  assert.equal(orders().entities[1].count, 1)
  await equalsServer(orders(), server, stream)
})

test('the link is lost: what was held back is shown, enters once, and stays through the verdict', async () => {
  const { twin, stream, store, orders, below } = await online()
  server.freeze()
  store.dispatch(order('1'))
  store.dispatch(order('2', 'nobody'))
  twin.disconnect()
  assert.deepEqual(Object.keys(orders().entities), ['1', '2'], 'from now on shown like any pending action')
  assert.deepEqual(store.getState().ui.seen, ['1', '2'])
  server.thaw()
  twin.connect()
  await isSettled(twin, 2)
  assert.deepEqual(Object.keys(orders().entities), ['1'], 'the rejected one is rolled back')
  assert.deepEqual(below.filter(type => type === created.type).length, 2, 'each entered once')
  assert.equal((await server.events(stream)).length, 2)
  await equalsServer(orders(), server, stream)
})

test('offline: shown at once, as an optimistic one', async () => {
  const { twin, store, orders, below } = rig({ routing: 'server' })
  store.dispatch(order('1'))
  assert.equal(orders().entities[1].customer, 'Ann')
  assert.deepEqual(below, ['orders/created'])
  assert.equal(twin.status.pending, 1)
})

test('by the action: meta.twin.routing', async () => {
  const { twin, store, orders, below } = await online({ routing: 'optimistic' })
  server.freeze()
  const shown = store.dispatch(order('1'))
  const hidden = store.dispatch(routed(order('2')))
  assert.deepEqual(Object.keys(orders().entities), ['1'])
  server.thaw()
  assert.deepEqual(await Promise.all([shown, hidden].map(action => twin.confirmed(action))), [1, 2])
  assert.deepEqual(Object.keys(orders().entities), ['1', '2'])
  assert.deepEqual(below.filter(type => type === created.type).length, 2)
})

test('others’ events meanwhile: the state is right, and what is held back stays out of it', async () => {
  const { twin, stream, store, orders } = await online()
  await twin.confirmed(store.dispatch(order('1')))
  server.freeze()
  const theirs = server.remote(stream, noted('theirs'))
  const mine = store.dispatch(bumped('1'))
  assert.equal(orders().entities[1].count, 0)
  server.thaw()
  await theirs
  await twin.confirmed(mine)
  await isSettled(twin, 3)
  assert.deepEqual([orders().note, orders().entities[1].count], ['theirs', 1])
  await equalsServer(orders(), server, stream)
})

test('two stores: the one that dispatched sees the action, both show the state', async () => {
  const made = await online()
  const second = storeOf(made.twin)
  await made.twin.confirmed(second.store.dispatch(order('1')))
  await isSettled(made.twin, 1)
  assert.deepEqual(second.orders(), made.orders())
  assert.equal(second.below.filter(type => type === created.type).length + made.below.filter(type => type === created.type).length, 1)
  assert.deepEqual(second.store.getState().ui.seen, ['1'], 'through the store that it was dispatched to')
})

test('a listener before the twin hears it at dispatch, and may await the verdict', async () => {
  const listeners = createListenerMiddleware()
  const heard = []
  const made = rig({ server, routing: 'server', store: { before: [listeners.middleware] } })
  listeners.startListening({
    actionCreator: created,
    effect: async (action, api) => {
      heard.push(Object.keys(api.getState().orders.entities).length)
      await made.twin.confirmed(action)
      heard.push(Object.keys(api.getState().orders.entities).length)
    },
  })
  await isOnline(made.twin)
  made.store.dispatch(order('1'))
  await until('the listener is through', () => heard.length === 2)
  assert.deepEqual(heard, [0, 1])
})

test('`validate` refuses before anything is sent', async () => {
  const { twin, store } = await online({ validate: () => 'no' })
  assert.throws(() => store.dispatch(order('1')), twinError('invalid'))
  assert.equal(twin.status.pending, 0)
})
