/** A client whose reducer is not the server's: found by checksums, healed by the server's state, and told. */
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'node:test'
import { assert, canonical, equalsServer, isOnline, isSettled, rig, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import ordersReducer, { bumped, created, noted } from './models/orders.mjs'

const server = await startServer()
const order = id => created({ id, customer: 'Ann' })
/** A reducer that rolls dice at notes. */
const impure = (state, action) => {
  const next = ordersReducer(state, action)
  return action.type === noted.type ? { ...next, note: `${next.note} ${Math.random()}` } : next
}
function divergent(options) {
  const made = rig({ server, ...options })
  const diverged = []
  made.twin.on('diverged', notice => diverged.push(notice))
  return { ...made, diverged }
}
/** How many states a client asks for in that time at most: one at once, then 5 seconds later, 10 more, and so on; however slow this machine is. */
function statesWithin(ms) {
  let [count, wait] = [1, 5_000]
  for (; ms >= wait; wait = Math.min(2 * wait, 60_000)) {
    ms -= wait
    count++
  }
  return count
}
const equals = (orders, stream) => until('the state is the server’s', async () => canonical(orders()) === canonical(await server.state(stream)), { seen: orders })

test('another’s action that folds differently here: the server’s state is taken, and the paths are told', async () => {
  const { twin, stream, store, orders, diverged } = divergent({ reducer: impure })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('1')))
  const kept = orders().entities
  await server.remote(stream, noted('theirs'))
  await until('it is told', () => diverged.length > 0)
  assert.deepEqual(diverged.map(({ seq, paths }) => [seq, paths]), [[2, ['/note']]])
  assert.match(diverged[0].reason, /reducer/)
  assert.equal(twin.status.lastError.code, 'diverged')
  assert.equal(orders().note, 'theirs')
  assert.equal(orders().entities, kept, 'what is equal keeps its reference')
  await equalsServer(orders(), server, stream)
})

test('one’s own action that was reduced differently in the server', async () => {
  const { twin, stream, store, orders, diverged } = divergent({ reducer: impure })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(noted('mine')))
  await equals(orders, stream)
  assert.deepEqual(diverged.map(({ seq, paths }) => [seq, paths]), [[1, ['/note']]])
})

test('what is pending meanwhile stays, is confirmed, and lies on the server’s state', async () => {
  const { twin, stream, store, orders, diverged } = divergent({ reducer: impure })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('1')))
  twin.disconnect()
  const mine = [store.dispatch(bumped('1')), store.dispatch(order('2')), store.dispatch(bumped('2'))]
  await server.remote(stream, noted('theirs'))
  const counts = []
  store.subscribe(() => counts.push(orders().entities[1].count))
  twin.connect()
  // Each has its place, or that of the state which has it in.
  for (const seq of await Promise.all(mine.map(action => twin.confirmed(action)))) assert.ok(seq >= 3 && seq <= 5, `${seq}`)
  assert.deepEqual(await server.types(stream), [created, noted, bumped, created, bumped].map(({ type }) => type))
  await equals(orders, stream)
  assert.ok(counts.every(count => count === 1), 'never out of sight')
  assert.equal(diverged.length, 1)
  assert.equal(twin.status.pending, 0)
  await equalsServer(orders(), server, stream)
})

test('again and again: no storm of states, told once each time, and right in the end', async () => {
  const { twin, stream, orders, diverged } = divergent({ reducer: impure })
  const asked = snapshotsAsked()
  await isOnline(twin)
  const began = performance.now()
  for (let i = 0; i < 60; i++) {
    await server.remote(stream, noted(`${i}`))
    await pause(10)
  }
  await equals(orders, stream)
  const most = statesWithin(performance.now() - began)
  assert.ok(asked.count >= 1 && asked.count <= most, `${asked.count} states asked for, at most ${most}`)
  assert.ok(diverged.length >= 1 && diverged.length <= asked.count, `${diverged.length} notices`)
  asked.end()
})

test('the order of keys, −0 and fields that are undefined are no divergence', async () => {
  const reversed = state => Object.fromEntries(Object.entries(state).reverse())
  const other = (state, action) => {
    const next = ordersReducer(state, action)
    return next === state ? state : { absent: undefined, ...reversed({ ...next, entities: reversed(next.entities) }) }
  }
  const { twin, stream, store, orders, diverged } = divergent({ reducer: other })
  await isOnline(twin)
  for (const id of ['a', 'b', 'c']) store.dispatch(order(id))
  store.dispatch(noted(-0))
  await server.remote(stream, bumped('b'))
  await isSettled(twin, 5)
  await equalsServer(orders(), server, stream)
  assert.deepEqual(diverged, [])
})

test('who lacks no event compares too: a state that went wrong before the link was lost', async () => {
  let old = true
  const reducer = (state, action) => (old && action.type === noted.type ? { ...ordersReducer(state, action), old } : ordersReducer(state, action))
  const { twin, stream, store, orders, diverged } = divergent({ reducer })
  await isOnline(twin)
  const asked = snapshotsAsked({ swallow: true })
  await twin.confirmed(store.dispatch(noted('mine')))
  await until('the state is asked for', () => asked.count > 0)
  assert.equal(orders().old, true)
  twin.disconnect()
  asked.end()
  old = false
  twin.connect()
  await equals(orders, stream)
  assert.deepEqual(diverged.map(({ seq, paths }) => [seq, paths]), [[1, ['/old']]])
})

/** How many states were asked for, on all sockets; `swallow`: the server does not hear of it. */
function snapshotsAsked({ swallow = false } = {}) {
  const { prototype } = WebSocket
  const { send } = prototype
  const asked = { count: 0, end: () => (prototype.send = send) }
  prototype.send = function (text, ...rest) {
    const { t, cursor } = JSON.parse(text)
    const isAsk = t === 'pull' && cursor === null
    if (isAsk) asked.count++
    if (!isAsk || !swallow) send.call(this, text, ...rest)
  }
  return asked
}
