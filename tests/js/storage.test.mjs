/**
 * What is stored, before and after `ready`: with IndexedDB as an implementation in memory has it. What outlives a tab or a
 * browser is tested in real Chromium (tests/e2e).
 */
import 'fake-indexeddb/auto'
import { test } from 'node:test'
import { assert, equalsServer, isOnline, isSettled, newStream, rejectionOf, rig, settle, storeOf, twinError, twinOf, ui, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { createTwin } from './lib/twinstore.mjs'
import ordersReducer, { bumped, created, noted } from './models/orders.mjs'

const server = await startServer()
const order = (id, customer = 'Ann') => created({ id, customer })
const types = twin => twin.pending().map(({ action }) => action.type)

/** Another run of the app: the same stored data, a twin made anew. */
async function again({ twin, stream }, options = {}) {
  twin.close()
  const made = rig({ stream, ...options })
  await made.twin.ready
  return made
}

test('durable resolves when the action is stored; what is stored is there in the next run, in order', async () => {
  const first = rig()
  assert.equal(first.twin.status.storage, 'opening')
  await first.twin.ready
  assert.equal(first.twin.status.storage, 'indexedDB')
  const actions = [order('1'), bumped('1'), noted('x')].map(action => first.store.dispatch(action))
  await Promise.all(actions.map(action => first.twin.durable(action)))
  const state = first.orders()
  const second = await again(first)
  assert.deepEqual(second.orders(), state)
  assert.deepEqual(second.twin.pending().map(({ action }) => action), actions)
  second.store.dispatch(bumped('1'))
  assert.equal(second.orders().entities[1].count, 2)
})

test('what was confirmed is there in the next run without the server, and others’ events with it', async () => {
  const first = rig({ server })
  await first.twin.confirmed(first.store.dispatch(order('1')))
  await server.remote(first.stream, bumped('1'))
  await isSettled(first.twin, 2)
  const second = await again(first)
  assert.deepEqual(second.orders().entities[1].count, 1)
  assert.deepEqual([second.twin.status.cursor, second.twin.status.pending], [2, 0])
})

test('early actions: shown at once, on top of the stored state when that is back, sent in order', async () => {
  const first = rig({ server })
  await first.twin.confirmed(first.store.dispatch(order('1')))
  first.twin.close()
  const second = rig({ server, stream: first.stream })
  const early = [second.store.dispatch(order('2')), second.store.dispatch(noted('early'))]
  assert.deepEqual(second.orders(), { entities: { 2: { id: '2', customer: 'Ann', count: 0 } }, note: 'early' })
  assert.equal(second.twin.status.pending, 2)
  await second.twin.ready
  assert.deepEqual(Object.keys(second.orders().entities), ['1', '2'])
  assert.deepEqual(await Promise.all(early.map(action => second.twin.confirmed(action))), [2, 3])
  await Promise.all(early.map(action => second.twin.durable(action)))
  await equalsServer(second.orders(), server, second.stream)
})

test('undecided ones: what changes nothing yet passes on, and is twinned at `ready` if it changes the state that is back', async () => {
  const first = rig({ server })
  await first.twin.confirmed(first.store.dispatch(order('1')))
  first.twin.close()
  const second = rig({ server, stream: first.stream, store: { checks: false } })
  const given = bumped('1')
  assert.equal(second.store.dispatch(given), given, 'passed on as it is')
  second.store.dispatch(bumped('nobody’s'))
  second.store.dispatch(ui.actions.toggled())
  second.store.dispatch({ type: 'odd', payload: () => {} })
  assert.equal(second.twin.status.pending, 0)
  await second.twin.ready
  assert.equal(second.orders().entities[1].count, 1)
  await isSettled(second.twin, 2)
  assert.equal(await second.twin.confirmed(given), 2)
  assert.deepEqual(await server.types(second.stream), ['orders/created', 'orders/bumped'])
  await equalsServer(second.orders(), server, second.stream)
})

test('undecided ones are in order, and as many as the limit says', async () => {
  const first = rig()
  await first.twin.ready
  await first.twin.durable(first.store.dispatch(order('1')))
  first.twin.close()
  const second = rig({ stream: first.stream, limits: { undecided: 2 } })
  for (let i = 0; i < 5; i++) second.store.dispatch(bumped('1'))
  await second.twin.ready
  await settle()
  assert.deepEqual(types(second.twin), ['orders/created', 'orders/bumped', 'orders/bumped'])
  assert.equal(second.orders().entities[1].count, 2)
})

test('an early action and an undecided one behind it keep their order of dispatch', async () => {
  const first = rig()
  await first.twin.ready
  await first.twin.durable(first.store.dispatch(order('1')))
  first.twin.close()
  const second = rig({ stream: first.stream })
  second.store.dispatch(noted('early'))
  second.store.dispatch(bumped('1'))
  second.store.dispatch(order('2'))
  await second.twin.ready
  await until('the four are twinned', () => second.twin.pending().length === 4, { seen: () => second.twin.pending() })
  assert.deepEqual(types(second.twin)[0], 'orders/created')
  assert.deepEqual(types(second.twin).slice(1).sort(), ['orders/bumped', 'orders/created', 'orders/noted'])
  assert.deepEqual([second.orders().note, second.orders().entities[1].count, Object.keys(second.orders().entities)], ['early', 1, ['1', '2']])
  assert.deepEqual(second.twin.pending().slice(1).map(({ n }) => n), [1, 2, 3])
})

test('what is undecided at a close is not twinned', async () => {
  const made = rig()
  made.store.dispatch(bumped('1'))
  made.twin.close()
  await settle(20)
  assert.equal(made.twin.status.pending, 0)
})

test('a store made before `ready` is brought up to date with one rebase; one made after begins there', async () => {
  const first = rig()
  await first.twin.ready
  await first.twin.durable(first.store.dispatch(order('1')))
  const second = await again(first)
  assert.equal(second.rebases(), 1)
  assert.deepEqual(Object.keys(storeOf(second.twin).orders().entities), ['1'])
})

test('dropped: told to who waits, not sent, and gone in the next run', async () => {
  const first = rig({ server })
  await isOnline(first.twin)
  first.twin.disconnect()
  const [gone, kept] = [order('1'), order('2')].map(action => first.store.dispatch(action))
  await first.twin.durable(kept)
  first.twin.drop(first.twin.pending()[0].id)
  twinError('dropped')(await rejectionOf(first.twin.confirmed(gone)))
  await first.twin.durable(first.store.dispatch(order('3')))
  const second = await again(first)
  assert.deepEqual(Object.keys(second.orders().entities), ['2', '3'])
})

test('dropped before it was stored: `durable` says so, and it is gone in the next run', async () => {
  const first = rig()
  const gone = first.store.dispatch(order('1'))
  const kept = first.store.dispatch(order('2'))
  first.twin.drop(first.twin.pending()[0].id)
  twinError('dropped')(await rejectionOf(first.twin.durable(gone)))
  await first.twin.durable(kept)
  await first.twin.durable(first.store.dispatch(order('3')))
  const second = await again(first)
  assert.deepEqual(Object.keys(second.orders().entities), ['2', '3'])
})

test('closed before it was stored: `durable` says so', async () => {
  const { twin, store } = rig()
  const action = store.dispatch(order('1'))
  twin.close()
  twinError('closed')(await rejectionOf(twin.durable(action)))
})

test('closed and made anew in the same page: what was left is sent, once, and what comes new as well', async () => {
  const first = rig({ server })
  await isOnline(first.twin)
  first.twin.disconnect()
  await first.twin.durable(first.store.dispatch(order('1')))
  const second = await again(first, { server })
  second.store.dispatch(bumped('1'))
  await isSettled(second.twin, 2)
  assert.deepEqual(await server.types(second.stream), ['orders/created', 'orders/bumped'])
  await equalsServer(second.orders(), server, second.stream)
})

test('forget erases; another user’s data is another’s', async () => {
  const stream = newStream()
  const ann = rig({ stream, user: 'ann' })
  const bob = rig({ stream, user: 'bob' })
  await Promise.all([ann.twin.ready, bob.twin.ready])
  await ann.twin.durable(ann.store.dispatch(order('1')))
  await bob.twin.durable(bob.store.dispatch(order('2', 'Bob')))
  await ann.twin.forget()
  const [annAgain, bobAgain] = [await again(ann, { user: 'ann' }), await again(bob, { user: 'bob' })]
  assert.deepEqual(annAgain.orders().entities, {})
  assert.deepEqual(Object.keys(bobAgain.orders().entities), ['2'])
})

test('a burst of thousands is stored, shown and sent once each', async () => {
  const { twin, stream, store, orders } = rig({ server, store: { checks: false } })
  await isOnline(twin)
  store.dispatch(order('1'))
  const actions = Array.from({ length: 2000 }, () => store.dispatch(bumped('1')))
  await twin.durable(actions.at(-1))
  assert.equal(orders().entities[1].count, 2000)
  await isSettled(twin, 2001)
  await equalsServer(orders(), server, stream)
})

test('`storage: memory` stores nothing, though it could', async () => {
  const first = rig({ storage: 'memory' })
  await first.twin.ready
  assert.equal(first.twin.status.storage, 'memory')
  twinError('not-durable')(await rejectionOf(first.twin.durable(first.store.dispatch(order('1')))))
  const second = await again(first)
  assert.deepEqual(second.orders().entities, {})
})

test('a database that cannot be opened: memory, said by a notice and by the status; the app works', async () => {
  const { open } = indexedDB.constructor.prototype
  indexedDB.constructor.prototype.open = () => { throw new DOMException('no room', 'QuotaExceededError') }
  try {
    const made = rig({ server })
    const notices = []
    made.twin.on('storage', notice => notices.push(notice))
    const early = made.store.dispatch(order('1'))
    await made.twin.ready
    assert.equal(made.twin.status.storage, 'memory')
    assert.deepEqual(notices, [{ storage: 'memory', reason: 'QuotaExceededError' }])
    assert.equal(made.twin.status.lastError.code, 'storage')
    twinError('not-durable')(await rejectionOf(made.twin.durable(early)))
    assert.equal(await made.twin.confirmed(early), 1)
  } finally {
    indexedDB.constructor.prototype.open = open
  }
})

test('the same twin by its name while it still opens', async () => {
  const { twin, stream } = twinOf()
  assert.equal(createTwin({ url: null, stream, reducer: ordersReducer }), twin)
  await until('ready', () => twin.ready.then(() => true))
})
