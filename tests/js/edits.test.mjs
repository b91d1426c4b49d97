/** What the app may do with the outbox besides retrying and dropping: edit, export; and how old the oldest action is. */
import 'fake-indexeddb/auto'
import { test } from 'node:test'
import { assert, equalsServer, isOnline, isSettled, rejectionOf, rig, settle, twinError, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { bumped, created, failed, noted } from './models/orders.mjs'

const server = await startServer()
const order = (id, customer = 'Ann') => created({ id, customer })
const lines = twin => twin.export().split('\n').slice(0, -1).map(line => JSON.parse(line))

/** A twin with its stored state back, offline unless it is connected. */
async function ready(options) {
  const made = rig({ server, ...options })
  await made.twin.ready
  made.twin.disconnect()
  return made
}

test('edit: what was never sent gets another content in its place, with its stamp; shown at once, stored, sent once', async () => {
  const { twin, stream, store, orders } = await ready()
  const first = store.dispatch(order('1', 'Anm'))
  store.dispatch(bumped('1'))
  const edited = twin.edit(twin.pending()[0].id, order('1', 'Ann'))
  assert.deepEqual(orders().entities, { 1: { id: '1', customer: 'Ann', count: 1 } })
  assert.deepEqual(edited, { ...order('1', 'Ann'), meta: first.meta })
  assert.deepEqual(twin.pending().map(({ n, action }) => [n, action.payload.customer]), [[1, 'Ann'], [2, undefined]])
  await settle(20)
  twin.close()
  const again = await ready({ stream })
  assert.equal(again.orders().entities[1].customer, 'Ann', 'the edited content is what is stored')
  again.twin.connect()
  await isSettled(again.twin, 2)
  assert.deepEqual((await server.events(stream)).map(({ n, action }) => [n, action.payload.customer]), [[1, 'Ann'], [2, undefined]])
  await equalsServer(again.orders(), server, stream)
})

test('edit: `confirmed` takes what edit gave and what was dispatched; before `ready` too', async () => {
  const { twin, stream, store, orders } = rig({ server })
  const first = store.dispatch(order('1', 'Anm'))
  const edited = twin.edit(twin.pending()[0].id, order('1', 'Ann'))
  assert.deepEqual(await Promise.all([twin.confirmed(first), twin.confirmed(edited)]), [1, 1])
  await twin.durable(edited)
  assert.equal((await server.events(stream))[0].action.payload.customer, 'Ann')
  await equalsServer(orders(), server, stream)
})

test('edit: bad input changes nothing', async () => {
  const { twin, store, orders } = await ready({ limits: { actionBytes: 1_000, actionDepth: 5 } })
  store.dispatch(order('1'))
  const [{ id }] = twin.pending()
  const BAD = [
    [undefined, 'not-plain'], [null, 'not-plain'], ['text', 'not-plain'], [{}, 'not-plain'], [{ type: 5 }, 'not-plain'],
    [noted(() => {}), 'not-plain'], [noted('x'.repeat(1_000)), 'too-large'], [noted([[[[[[]]]]]]), 'too-deep'],
  ]
  for (const [action, code] of BAD) assert.throws(() => twin.edit(id, action), twinError(code), JSON.stringify(action))
  for (const other of ['', 'x:1', undefined]) assert.throws(() => twin.edit(other, order('1')), twinError('not-pending'))
  assert.deepEqual([orders().entities[1].customer, twin.pending().length], ['Ann', 1])
  // A reducer that throws at it: it changes nothing here, and the server decides.
  twin.edit(id, failed())
  assert.deepEqual([orders().entities, twin.status.pending], [{}, 1])
  twin.edit(id, order('2'))
  assert.deepEqual(Object.keys(orders().entities), ['2'])
})

test('edit: what was sent is refused; what is held is dispatched anew, and the held one is gone', async () => {
  const { twin, stream, store, orders } = rig({ server, limits: { actionBytes: 200_000 } })
  await isOnline(twin)
  server.freeze()
  store.dispatch(order('1'))
  await until('it is sent', () => twin.pending()[0]?.state === 'sent')
  assert.throws(() => twin.edit(twin.pending()[0].id, order('2')), twinError('already-sent'))
  server.thaw()
  await isSettled(twin, 1)
  store.dispatch(noted('x'.repeat(100_000)))
  await until('it is held', () => twin.status.held === 1)
  const [{ id, n }] = twin.pending()
  const edited = twin.edit(id, noted('shorter'))
  assert.equal(edited.meta.twin.retryOf, n)
  assert.equal(await twin.confirmed(edited), 2)
  assert.deepEqual([twin.status.held, orders().note], [0, 'shorter'])
  await equalsServer(orders(), server, stream)
})

test('retry gives what `confirmed` takes', async () => {
  const { twin, store } = rig({ server, limits: { actionBytes: 200_000 } })
  await isOnline(twin)
  store.dispatch(noted('x'.repeat(100_000)))
  await until('it is held', () => twin.status.held === 1)
  twinError('closed')(await rejectionOf((async () => {
    const again = twin.confirmed(twin.retry(twin.pending()[0].id))
    twin.close()
    return again
  })()))
})

test('what is dropped or edited before the storage is open does not come back with the journal', async () => {
  const { twin, stream, store } = rig()
  for (const id of ['1', '2', '3']) store.dispatch(order(id))
  const [first, second] = twin.pending()
  twin.drop(first.id)
  twin.edit(second.id, order('two'))
  await twin.ready
  await settle(20)
  twin.close()
  const again = await ready({ stream })
  assert.deepEqual(again.twin.pending().map(({ n, action }) => [n, action.payload.id]), [[2, 'two'], [3, '3']])
})

test('export: every row of the outbox as a line, held ones with their reason, unreadable ones marked; status counts them', async () => {
  const { twin, stream, store } = rig({ server, limits: { actionBytes: 200_000 } })
  await isOnline(twin)
  assert.equal(twin.export(), '')
  store.dispatch(noted('x'.repeat(100_000)))
  await until('it is held', () => twin.status.held === 1)
  twin.disconnect()
  const queued = store.dispatch(order('1'))
  await twin.durable(queued)
  await settle(20)
  twin.close()
  await putRows(`twinstore:${encodeURIComponent(stream)}//${encodeURIComponent(stream)}`, { odd: ['from', 'another', 'world'] }, { client: 'x', n: 1, text: '{' }, { big: 5n })
  const again = await ready({ stream })
  const rows = lines(again.twin)
  assert.deepEqual(rows.map(({ state, reason }) => [state, reason]), [['held', 'too-large'], ['queued', undefined], ...Array(3).fill(['unreadable', undefined])])
  assert.deepEqual(rows.slice(0, 2), JSON.parse(JSON.stringify(again.twin.pending())))
  assert.deepEqual(rows.slice(2, 4).map(({ row }) => row), [{ odd: ['from', 'another', 'world'] }, { client: 'x', n: 1, text: '{' }])
  assert.deepEqual([again.twin.status.unreadable, again.twin.status.pending, again.twin.status.held], [3, 1, 1])
  again.twin.connect()
  await isSettled(again.twin)
  assert.equal(again.twin.status.unreadable, 3, 'they stay where they are')
})

test('status.oldest: when the oldest pending action was dispatched; null when there is none', async t => {
  const { twin, store } = await ready()
  assert.equal(twin.status.oldest, null)
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() })
  const first = store.dispatch(order('1'))
  t.mock.timers.tick(5)
  const second = store.dispatch(order('2'))
  assert.equal(second.meta.twin.at, first.meta.twin.at + 5)
  t.mock.timers.reset()
  assert.equal(twin.status.oldest, first.meta.twin.at)
  twin.drop(twin.pending()[0].id)
  assert.equal(twin.status.oldest, second.meta.twin.at)
  twin.connect()
  await isSettled(twin, 1)
  assert.equal(twin.status.oldest, null)
})

/** Puts rows into a stored outbox, as a later version or a broken disk might leave them. */
function putRows(name, ...rows) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(name)
    opening.onerror = () => reject(opening.error)
    opening.onsuccess = () => {
      const write = opening.result.transaction('outbox', 'readwrite')
      for (const [at, row] of rows.entries()) write.objectStore('outbox').put(row, ['zz', at])
      write.oncomplete = () => {
        opening.result.close()
        resolve()
      }
      write.onerror = () => reject(write.error)
    }
  })
}
