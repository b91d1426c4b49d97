/** `coalesce`: neighbours that were never sent become one action: shown, stored, sent and confirmed as one. */
import 'fake-indexeddb/auto'
import { test } from 'node:test'
import { assert, equalsServer, isOnline, isSettled, rejectionOf, rig, settle, twinError, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { bumped, created, doubled, failed, noted } from './models/orders.mjs'

const server = await startServer()
const order = (id, customer = 'Ann') => created({ id, customer })
/** Of two notes the later one says all. */
const lastNote = (a, b) => (a.type === noted.type && b.type === noted.type ? b : undefined)
const rows = twin => twin.pending().map(({ n, action }) => [n, action.payload])

/** A twin with its stored state back, offline until it is connected. */
async function ready(options) {
  const made = rig({ server, coalesce: lastNote, ...options })
  await made.twin.ready
  made.twin.disconnect()
  return made
}

test('a slider offline: a thousand moves are one action, shown at each, sent once; each promise has its verdict', async () => {
  const { twin, stream, store, orders } = await ready()
  store.dispatch(order('1'))
  const moves = []
  for (let i = 1; i <= 1000; i++) {
    moves.push(store.dispatch(noted(i)))
    assert.equal(orders().note, i)
  }
  assert.deepEqual(rows(twin), [[1, { id: '1', customer: 'Ann' }], [1001, 1000]])
  assert.equal(moves[0].payload, 1, 'what dispatch gives is what was dispatched')
  await Promise.all(moves.map(move => twin.durable(move)))
  const shown = orders()
  twin.connect()
  assert.deepEqual(new Set(await Promise.all(moves.map(move => twin.confirmed(move)))), new Set([2]))
  assert.equal(orders(), shown, 'confirmed in order: not a reference changes')
  assert.deepEqual((await server.events(stream)).map(({ n, from }) => [n, from ?? n]), [[1, 1], [1001, 2]])
  await equalsServer(orders(), server, stream)
})

test('only neighbours merge; what is merged is stored as one', async () => {
  const { twin, stream, store, orders } = await ready()
  const dispatched = [noted('a'), noted('b'), order('1'), noted('c'), noted('d')].map(action => store.dispatch(action))
  assert.deepEqual(rows(twin).map(([n]) => n), [2, 3, 5])
  await Promise.all(dispatched.map(action => twin.durable(action)))
  twin.close()
  const again = await ready({ stream })
  assert.deepEqual(rows(again.twin), [[2, 'b'], [3, { id: '1', customer: 'Ann' }], [5, 'd']])
  again.store.dispatch(noted('e'))
  assert.equal(again.twin.pending().length, 4, 'an earlier run may have sent it: left alone')
  again.twin.connect()
  await isSettled(again.twin, 4)
  await equalsServer(again.orders(), server, stream)
})

test('before `ready` too, and in a burst; other slices see each action', async () => {
  const { twin, stream, store, orders, below } = rig({ server, coalesce: lastNote, limits: { burst: 3 } })
  for (let i = 1; i <= 50; i++) store.dispatch(noted(i))
  assert.equal(twin.pending().length, 1)
  const last = store.dispatch(noted('last'))
  await twin.ready
  await twin.durable(last)
  assert.equal(below.filter(type => type === noted.type).length, 51)
  await isSettled(twin, 1)
  assert.equal((await server.events(stream)).length, 1)
  await equalsServer(orders(), server, stream)
})

test('online: what is in flight is left alone, what waits behind it merges', async () => {
  const { twin, stream, store, orders } = rig({ server, coalesce: lastNote })
  await isOnline(twin)
  server.freeze()
  store.dispatch(noted(1))
  await until('it is sent', () => twin.pending()[0]?.state === 'sent')
  for (let i = 2; i <= 9; i++) store.dispatch(noted(i))
  assert.deepEqual(rows(twin), [[1, 1], [9, 9]])
  server.thaw()
  await isSettled(twin, 2)
  assert.deepEqual((await server.events(stream)).map(({ action }) => action.payload), [1, 9])
  await equalsServer(orders(), server, stream)
})

test('a rejected merge rolls both back and tells both', async () => {
  const coalesce = (a, b) => (b.type === bumped.type ? order('2', 'nobody') : undefined)
  const { twin, stream, store, orders } = await ready({ coalesce })
  await twin.ready
  const both = [store.dispatch(order('2')), store.dispatch(bumped('2'))]
  assert.equal(twin.pending().length, 1)
  twin.connect()
  for (const action of both) twinError('rejected')(await rejectionOf(twin.confirmed(action)))
  assert.deepEqual(orders().entities, {})
  assert.equal((await server.events(stream)).length, 1)
})

test('a merged action that the model or the checks do not take is not merged; a coalesce that throws is the caller’s', async () => {
  const OUTCOMES = [
    undefined, null, false, 'text', {}, { type: 5 }, failed(), noted(() => {}), noted('x'.repeat(2_000)), noted([[[[[[[[]]]]]]]]),
  ]
  for (const outcome of OUTCOMES) {
    const { twin, store, orders } = await ready({ coalesce: () => outcome, limits: { actionBytes: 1_000, actionDepth: 6 } })
    store.dispatch(order('1'))
    store.dispatch(bumped('1'))
    assert.deepEqual([twin.pending().length, orders().entities[1].count], [2, 1], String(outcome))
  }
  const { twin, store, orders } = await ready({ coalesce: () => { throw new Error('a bug') } })
  store.dispatch(order('1'))
  assert.throws(() => store.dispatch(bumped('1')), /a bug/)
  assert.deepEqual([twin.pending().length, orders().entities[1].count], [1, 0], 'it left nothing behind')
  const refused = await ready({ coalesce: () => noted('merged'), validate: (state, { payload }) => (payload === 'merged' ? 'no' : undefined) })
  refused.store.dispatch(noted(1))
  refused.store.dispatch(noted(2))
  assert.equal(refused.twin.pending().length, 2)
})

test('a merge that does something else than both: shown is what will be sent, in every store', async () => {
  const { twin, stream, store, orders } = await ready({ coalesce: (a, b) => (b.type === doubled.type ? order('9') : undefined) })
  store.dispatch(order('0'))
  store.dispatch(order('1'))
  store.dispatch(bumped('1'))
  store.dispatch(doubled('1'))
  assert.deepEqual(Object.keys(orders().entities), ['0', '1', '9'])
  assert.deepEqual([orders().entities[1].count, twin.pending().length], [0, 3])
  twin.connect()
  await isSettled(twin, 3)
  await equalsServer(orders(), server, stream)
})

test('dropping and editing what was merged: both promises know', async () => {
  const { twin, store, orders } = await ready()
  const both = [store.dispatch(noted(1)), store.dispatch(noted(2))]
  twin.edit(twin.pending()[0].id, noted(3))
  assert.equal(orders().note, 3)
  twin.drop(twin.pending()[0].id)
  assert.equal(orders().note, undefined)
  for (const action of both) twinError('dropped')(await rejectionOf(twin.confirmed(action)))
  await settle()
  assert.equal(twin.status.pending, 0)
})
