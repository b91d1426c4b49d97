/** What the store is told of the log: nothing for its own confirmations, one rebase for others’ events and rejections. */
import { test } from 'node:test'
import { assert, equalsServer, isOnline, isSettled, rejectionOf, rig, twinError, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import ordersReducer, { bumped, closed, created, noted } from './models/orders.mjs'

const server = await startServer()
const order = id => created({ id, customer: 'Ann' })

test('one’s own confirmations: no further reduce, no rebase, no changed reference', async () => {
  const { twin, stream, store, orders, calls, below } = rig({ server })
  await isOnline(twin)
  let told = 0
  for (let i = 0; i < 30; i++) store.dispatch(order(`${i}`))
  const { reducer } = calls
  const state = orders()
  store.subscribe(() => told++)
  await isSettled(twin, 30)
  assert.equal(orders(), state)
  assert.equal(calls.reducer, reducer)
  assert.equal(told, 0)
  assert.equal(below.length, 30)
  await equalsServer(state, server, stream)
})

test('another’s event: one rebase, and what is equal keeps its reference', async () => {
  const { twin, stream, store, orders, rebases } = rig({ server })
  await isOnline(twin)
  for (const id of ['1', '2', '3']) store.dispatch(order(id))
  await isSettled(twin, 3)
  const before = orders()
  await server.remote(stream, bumped('2'))
  await isSettled(twin, 4)
  assert.equal(rebases(), 1)
  assert.equal(orders().entities[1], before.entities[1])
  assert.notEqual(orders().entities[2], before.entities[2])
  assert.equal(orders().entities[3], before.entities[3])
  assert.equal(orders().entities[2].count, 1)
  await equalsServer(orders(), server, stream)
})

test('another’s event under pending actions: these stay on top, equal parts keep their reference', async () => {
  const { twin, stream, store, orders, rebases } = rig({ server })
  await isOnline(twin)
  for (const id of ['1', '2']) store.dispatch(order(id))
  await isSettled(twin, 2)
  twin.disconnect()
  const { client } = store.dispatch(bumped('1')).meta.twin
  store.dispatch(bumped('1'))
  await server.remote(stream, bumped('2'))
  await server.remote(stream, bumped('1'))
  const mark = rebases()
  twin.connect()
  await isSettled(twin, 6)
  assert.equal(orders().entities[1].count, 3)
  assert.equal(orders().entities[2].count, 1)
  assert.ok(rebases() - mark <= 2, `${rebases() - mark} rebases`)
  assert.deepEqual((await server.events(stream)).slice(2).map(event => [event.client === client, event.n]),
    [[false, 1], [false, 1], [true, 3], [true, 4]])
  await equalsServer(orders(), server, stream)
})

test('an event that changes nothing here: no rebase', async () => {
  const { twin, stream, store, orders, rebases } = rig({ server })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('1')))
  const state = orders()
  await server.remote(stream, order('1'))
  await isSettled(twin, 2)
  assert.equal(orders(), state)
  assert.equal(rebases(), 0)
})

test('a rejection rolls back with its reason, and keeps those behind it', async () => {
  const { twin, stream, store, orders, rebases } = rig({ server })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('1')))
  const rejected = []
  twin.on('rejected', notice => rejected.push(notice))
  server.freeze()
  const refused = store.dispatch(created({ id: '2', customer: 'nobody' }))
  const behind = store.dispatch(bumped('1'))
  const depends = store.dispatch(bumped('2'))
  const last = store.dispatch(order('3'))
  assert.deepEqual(Object.keys(orders().entities), ['1', '2', '3'])
  const kept = orders().entities[1]
  const mark = rebases()
  server.thaw()
  const error = await rejectionOf(twin.confirmed(refused))
  twinError('rejected')(error)
  assert.deepEqual([error.message, error.reason, error.seq], ['nobody orders nothing', 'nobody orders nothing', 2])
  assert.equal(await twin.confirmed(behind), 3)
  assert.match((await rejectionOf(twin.confirmed(depends))).message, /there is no order 2/)
  assert.equal(await twin.confirmed(last), 5)
  await isSettled(twin, 5)
  assert.deepEqual(Object.keys(orders().entities), ['1', '3'])
  assert.equal(orders().entities[1], kept, 'what the rejection does not touch keeps its reference')
  assert.deepEqual(rejected.map(({ seq, code, reason, action }) => [seq, code, reason, action]), [
    [2, 'invalid', 'nobody orders nothing', refused], [4, 'invalid', 'there is no order 2', depends]])
  assert.ok(rebases() - mark <= 2, `${rebases() - mark} rebases`)
  await equalsServer(orders(), server, stream)
})

test('closed online by another while updated offline here: rejected, rolled back, the rest kept', async () => {
  const { twin, stream, store, orders } = rig({ server })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('1')))
  twin.disconnect()
  const late = store.dispatch(bumped('1'))
  const other = store.dispatch(order('2'))
  await server.remote(stream, closed('1'))
  twin.connect()
  assert.equal((await rejectionOf(twin.confirmed(late))).reason, 'order 1 is closed')
  await twin.confirmed(other)
  assert.deepEqual(orders().entities, { 1: { id: '1', customer: 'Ann', count: 0, isClosed: true }, 2: { id: '2', customer: 'Ann', count: 0 } })
  await equalsServer(orders(), server, stream)
})

test('a pending action that throws on replay changes nothing and stays; accepted all the same, the client takes the server’s state and says so', async () => {
  const fragile = (state, action) => {
    if (action.type === noted.type && state.entities.x) throw new Error('not with an x')
    return ordersReducer(state, action)
  }
  const { twin, stream, store, orders } = rig({ server, reducer: fragile })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('1')))
  const diverged = []
  twin.on('diverged', notice => diverged.push(notice))
  const shown = []
  store.subscribe(() => shown.push([orders().note, twin.status.pending]))
  twin.disconnect()
  const mine = store.dispatch(noted('mine'))
  const behind = store.dispatch(bumped('1'))
  await server.remote(stream, order('x'))
  twin.connect()
  assert.equal(await twin.confirmed(mine), 3)
  assert.equal(await twin.confirmed(behind), 4)
  await until('the server’s state is here', () => orders().note === 'mine' && orders().entities.x, { seen: orders })
  assert.ok(shown.some(([note, pending]) => note === undefined && pending === 2), 'for a while it was not shown, and still pending')
  assert.deepEqual(diverged.map(({ seq }) => seq), [3])
  await isSettled(twin, 4)
  await equalsServer(orders(), server, stream)
})

test('a pending action that fails `validate` on replay changes nothing and stays; accepted all the same, it is applied', async () => {
  const strict = (state, action) => (action.type === noted.type && state.entities.x ? 'not with an x' : undefined)
  const { twin, stream, store, orders } = rig({ server, validate: strict })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('1')))
  const shown = []
  store.subscribe(() => shown.push([orders().note, twin.status.pending]))
  twin.disconnect()
  const mine = store.dispatch(noted('mine'))
  await server.remote(stream, order('x'))
  twin.connect()
  assert.equal(await twin.confirmed(mine), 3)
  await isSettled(twin, 3)
  assert.ok(shown.some(([note, pending]) => note === undefined && pending === 1), 'for a while it was not shown, and still pending')
  await equalsServer(orders(), server, stream)
})

test('the server dies and comes back: what was dispatched meanwhile arrives once, in order', async () => {
  const { twin, stream, store, orders } = rig({ server })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('1')))
  await server.takeAway()
  await until('the link is lost', () => twin.status.link !== 'online')
  const actions = Array.from({ length: 50 }, () => store.dispatch(bumped('1')))
  assert.equal(orders().entities[1].count, 50)
  assert.equal(twin.status.pending, 50)
  await server.bringBack()
  assert.deepEqual(await Promise.all(actions.map(action => twin.confirmed(action))), actions.map((_, i) => i + 2))
  await equalsServer(orders(), server, stream)
  assert.equal(twin.status.pending, 0)
})
