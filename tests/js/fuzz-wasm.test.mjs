/**
 * The real WASM, with a server that says anything and storage that holds anything: no exception escapes, dispatches are taken, and what
 * has no verdict stays pending. Each seed is a run of its own app: its twin, its server, and at times the storage of another run, damaged.
 */
import 'fake-indexeddb/auto'
import { test } from 'node:test'
import { assert, newStream, storeOf, twinOf } from './lib/rig.mjs'
import { SERVERS, changed, eachSeed, textLike } from './lib/hostile.mjs'
import { setImmediate as turn } from 'node:timers/promises'

const escaped = []
process.on('uncaughtException', error => escaped.push(error))
process.on('unhandledRejection', error => escaped.push(error))

/** As much of a WebSocket as is used; the test is its server. */
class HostileSocket extends EventTarget {
  static all = []
  readyState = 0
  sent = []
  constructor() {
    super()
    HostileSocket.all.push(this)
  }
  say(type, fields) {
    if (type === 'open') this.readyState = 1
    if (type === 'close') this.readyState = 3
    this.dispatchEvent(Object.assign(new Event(type), fields))
  }
  send(text) {
    this.sent.push(JSON.parse(text))
  }
  close() {
    if (this.readyState < 2) queueMicrotask(() => this.say('close', { code: 1000, reason: '', wasClean: true }))
    this.readyState = 2
  }
}

const real = globalThis.WebSocket
const { warn, error } = console

test('a server that says anything', async t => {
  globalThis.WebSocket = HostileSocket
  // Reducers of the app throw on hostile actions, and the twin says so.
  console.warn = console.error = () => {}
  let [taken, verdicts] = [0, 0]
  const count = await eachSeed(150, async chance => {
    const stream = newStream('salesOrder')
    HostileSocket.all = []
    const { twin } = twinOf({ server: { url: 'ws://hostile/sync' }, stream })
    const { store } = storeOf(twin, { checks: false })
    const told = new Set()
    for (const name of ['confirmed', 'rejected']) twin.on(name, ({ action }) => told.add(action.meta.twin.n))
    const dispatched = []
    await twin.ready
    for (let step = 0; step < 40; step++) {
      const socket = HostileSocket.all.at(-1)
      switch (chance.roll(6)) {
        case 0:
          dispatched.push(store.dispatch({ type: 'orders/created', payload: { id: `${step}`, customer: 'Ann' } }).meta.twin.n)
          break
        case 1:
          if (socket?.readyState === 0) socket.say('open')
          else if (chance.oneIn(4)) socket?.say('close', { code: 1006, reason: '', wasClean: false })
          break
        default:
          if (socket?.readyState === 1) socket.say('message', { data: said(chance, twin, stream, socket) })
      }
      await turn()
    }
    const kept = new Set(twin.pending().map(({ action }) => action.meta.twin.n))
    for (const n of dispatched) assert.ok(kept.has(n) || told.has(n), `${n} is lost: ${JSON.stringify(twin.status)}`)
    taken += dispatched.length
    verdicts += told.size
    twin.close()
    assert.deepEqual(escaped, [])
  })
  Object.assign(console, { warn, error })
  globalThis.WebSocket = real
  assert.ok(verdicts > 0, 'so that both sides are tried')
  t.diagnostic(`${count} servers, ${taken} actions, ${verdicts} verdicts`)
})

/** A frame about this stream, with a true head, log and client more often than not, then changed. */
function said(chance, twin, stream, socket) {
  const hello = socket.sent.find(({ t }) => t === 'hello')
  const welcomed = socket.welcomed
  socket.welcomed ||= hello !== undefined
  const frame = structuredClone(!welcomed && hello ? SERVERS.find(({ t }) => t === 'welcome') : chance.pick(SERVERS))
  const entry = socket.sent.findLast(({ t }) => t === 'push')?.entries[0]
  if (frame.stream) frame.stream = stream
  if (frame.log) frame.log = 'l'
  if (frame.t === 'welcome') Object.assign(frame, { head: twin.status.head, clients: [], reset: false })
  if (frame.t === 'events') {
    frame.after = twin.status.cursor
    frame.events = frame.events.map((event, i) => ({ ...event, seq: frame.after + 1 + i, ...(entry && { client: entry.client, n: entry.n + i, action: undefined, error: undefined }) }))
  }
  if (frame.t === 'verdicts' && entry) frame.verdicts = [{ client: entry.client, n: entry.n, seq: chance.roll(4) }]
  if (frame.t === 'refused' && entry) Object.assign(frame, { client: entry.client, n: entry.n })
  if (chance.roll(3) > 0) return JSON.stringify(frame)
  return chance.oneIn(12) ? new ArrayBuffer(4) : textLike(chance, frame)
}

test('storage that holds anything', async t => {
  let broken = 0
  console.warn = console.error = () => {}
  const count = await eachSeed(60, async chance => {
    const stream = newStream()
    const first = twinOf({ stream })
    const { store } = storeOf(first.twin, { checks: false })
    await first.twin.ready
    for (let i = 0; i < 3; i++) await first.twin.durable(store.dispatch({ type: 'orders/created', payload: { id: `${i}`, customer: 'Ann' } }))
    first.twin.close()
    broken += await damage(chance, stream)
    const { twin } = twinOf({ stream })
    const second = storeOf(twin, { checks: false })
    await twin.ready
    const action = second.store.dispatch({ type: 'orders/created', payload: { id: 'new', customer: 'Bob' } })
    await twin.durable(action)
    assert.ok(twin.pending().some(({ action: { payload } }) => payload?.id === 'new'))
    twin.close()
    assert.deepEqual(escaped, [])
  })
  Object.assign(console, { warn, error })
  assert.ok(broken > 0)
  t.diagnostic(`${count} storages, ${broken} rows damaged`)
})

/** Replaces rows of every kind by others of the same key. Gives how many. */
async function damage(chance, stream) {
  let count = 0
  for (const { name } of await indexedDB.databases()) {
    if (!name.includes(stream) && !name.includes(encodeURIComponent(stream))) continue
    const db = await new Promise(done => (indexedDB.open(name).onsuccess = event => done(event.target.result)))
    for (const store of db.objectStoreNames) {
      const changing = db.transaction(store, 'readwrite')
      const [keys, values] = await Promise.all(['getAllKeys', 'getAll'].map(list => new Promise(done => (changing.objectStore(store)[list]().onsuccess = event => done(event.target.result)))))
      keys.forEach((key, i) => {
        if (!chance.oneIn(2)) return
        changing.objectStore(store).put(changed(chance, values[i]), key)
        count++
      })
      await new Promise(done => (changing.oncomplete = done))
    }
    db.close()
  }
  return count
}
