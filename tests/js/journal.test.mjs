/** The journal in localStorage: what is taken out of a burst takes nobody else with it; what does not belong together goes. */
import { beforeEach, test } from 'node:test'
import { Change, Stored, changeLocal, journalOf, logAfter, storedLocal, unjournal } from '../../src/rows.js'
import { assert } from './lib/rig.mjs'

const client = '20261101-aaaaaaaaaaaaaaaa'
const row = n => ({ client, n, from: n, order: n, schema: 1, bytes: 99, text: '{"type":"said"}' })
let items
beforeEach(() => {
  items = new Map()
  const store = {
    getItem: key => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, String(value)),
    removeItem: key => void items.delete(key),
  }
  const keys = { ownKeys: () => [...items.keys()], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) }
  globalThis.window = { localStorage: new Proxy(store, keys) }
})

const line = (...ns) => items.set(`j:${client}/${ns[0]}`, JSON.stringify(ns.map(row)))
const numbers = () => journalOf('j:', [client], true)[1].map(({ n }) => n).sort((a, b) => a - b)

test('of a burst, which stands in one line, each is taken out by itself, the first one too', () => {
  line(1)
  line(2, 3, 4)
  for (const [n, left] of [[2, [1, 3, 4]], [4, [1, 3]], [1, [3]], [7, [3]], [3, []]]) {
    unjournal('j:', [[client, n]])
    assert.deepEqual(numbers(), left)
  }
  assert.equal(items.size, 0)
})

test('where localStorage is the home, a verdict on one of a burst leaves the others there', () => {
  line(2, 3, 4)
  const change = new Change()
  change.remove(client, 2, true)
  changeLocal('j:', 'p:', change)
  assert.deepEqual(numbers(), [3, 4])
})

test('where localStorage is the home, what becomes of one of a burst leaves the others as they are', () => {
  line(2, 3, 4)
  for (const n of [2, 3]) {
    const change = new Change()
    change.put(client, n, n, n, 1, 99, 'not-plain', { type: 'said' })
    changeLocal('j:', 'p:', change)
  }
  const rows = journalOf('j:', [client], true)[1].sort((a, b) => a.n - b.n)
  assert.deepEqual(rows.map(({ n, held }) => [n, held]), [[2, 'not-plain'], [3, 'not-plain'], [4, undefined]])
})

test('a line that is none is left alone', () => {
  for (const text of ['no JSON', 'null', '7', '{}']) {
    items.set(`j:${client}/1`, text)
    unjournal('j:', [[client, 1], [client, 2]])
    assert.equal(items.get(`j:${client}/1`), text)
  }
})

test('a log whose parts do not belong together makes room for what the server says', () => {
  const cursor = { log: 'l', seq: 9, chain: 'c' }
  items.set('p:log', JSON.stringify({ cursor, settled: {}, epoch: 0, count: 2 }))
  items.set('p:event/0000000000000009', JSON.stringify([{ seq: 9, action: { type: 'said' } }]))
  assert.equal(storedLocal('j:', 'p:').log, undefined)
  const change = new Change()
  change.standIn({ list: [] }, 0, false)
  change.stand(4, 'l', 4, 'd')
  changeLocal('j:', 'p:', change)
  const { log, state, events } = storedLocal('j:', 'p:')
  assert.deepEqual([log.cursor.seq, state, events], [4, { list: [] }, []])
})

test('events behind a state that was never written are none of the one that is there', () => {
  const at = (seq, chain) => {
    const change = new Change()
    change.stand(seq, 'l', seq, chain)
    change.standIn({ list: [seq] }, 0, true)
    return change
  }
  const next = new Change()
  next.stand(5, 'l', 6, 'f', 'e')
  next.event(6, { type: 'said' })

  const first = logAfter(undefined, at(0, ''))
  const second = logAfter(first.row, at(5, 'e'))
  const third = logAfter(second.row, next)
  assert.deepEqual(new Stored([], [next.events], third.row, second.state).events.map(({ seq }) => seq), [6])
  // The second write failed, and the third did not: as many events as there should be, and of another state.
  const stored = new Stored([], [next.events], third.row, first.state)
  assert.deepEqual([stored.log, stored.state, stored.events, stored.broken.length], [undefined, undefined, [], 1])
})
