/** Hostile frames and hostile storage, for the pure half of the browser's side: it throws nothing and lets nothing through that the WASM cannot read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frameOf, snapshotOf } from '../../src/frames.js'
import { Change, Stored, changeLocal, clientsOf, journalOf, localStorageWorks, logAfter, storedLocal } from '../../src/rows.js'
import { SERVERS, anything, changed, chanceOf, eachSeed, textLike } from './lib/hostile.mjs'

const isCount = value => Number.isInteger(value) && value >= 0
const isObject = value => typeof value === 'object' && value !== null

test('golden frames are taken, and no text throws', async t => {
  for (const frame of SERVERS) assert.deepEqual(frameOf(JSON.stringify(frame)), frame)
  let taken = 0
  const count = await eachSeed(20_000, chance => {
    const frame = frameOf(textLike(chance, chance.pick(SERVERS)))
    assert.ok(frame === null || isObject(frame))
    if (frame?.t === 'events') for (const event of frame.events) assert.ok(isCount(event.seq) && typeof event.chain === 'string')
    taken += frame !== null
  })
  assert.ok(taken > count / 10, 'so that both sides are tried')
  t.diagnostic(`${count} texts, ${taken} taken`)
})

test('no text throws as the body of a snapshot', async () => {
  const body = { state: { a: 1 }, clients: [{ client: 'c', last: 3, rejections: [{ n: 2, seq: 5, code: 'invalid', reason: 'no' }] }] }
  assert.equal(snapshotOf([JSON.stringify(body)]).rejections.length, 1)
  await eachSeed(10_000, chance => {
    const read = snapshotOf([textLike(chance, body)])
    for (const row of read?.rejections ?? []) assert.ok(typeof row.client === 'string' && isCount(row.n) && isCount(row.seq) && isObject(row.error))
  })
})

const ENTRY = { client: '20260101-a', n: 1, from: 1, order: 5, schema: 1, bytes: 40, text: '{"type":"add","payload":1}' }
/** Its text is JSON, though perhaps of no action. */
const unlike = chance => ({ ...ENTRY, bytes: 4_000, text: textLike(chance, { type: 'add', payload: 1 }) })
const EVENT = { seq: 1, action: { type: 'add', payload: 1 } }
const LOG = { cursor: { log: 'l', seq: 1, chain: 'c' }, settled: { '20260101-a': 1 }, token: 1 }

/** What the WASM reads field by field, with nothing to catch what that throws. */
function checkStored(stored) {
  for (const row of stored.rows) assert.ok(typeof row.client === 'string' && isCount(row.n) && typeof row.action.type === 'string')
  for (const event of stored.events) assert.ok(isCount(event.seq) && isObject(event.action), JSON.stringify(event))
  const cursor = stored.log?.cursor
  if (isObject(cursor)) assert.ok(isCount(cursor.seq) && typeof cursor.log === 'string' && typeof cursor.chain === 'string', JSON.stringify(cursor))
}

test('stored rows, events and log that are anything: what is none is set aside', async () => {
  await eachSeed(5_000, chance => {
    const list = (value, most) => Array.from({ length: chance.roll(most) }, () => (chance.oneIn(3) ? value : changed(chance, value)))
    const stored = new Stored([...list(ENTRY, 4), unlike(chance)], list([EVENT, EVENT], 3), chance.oneIn(3) ? LOG : changed(chance, LOG), anything(chance))
    stored.add(list(ENTRY, 3))
    checkStored(stored)
    const change = new Change()
    change.stand(chance.roll(3), 'l', chance.roll(4), 'c')
    if (chance.oneIn(3)) change.remove('20260101-a', 1, true)
    change.reset = chance.oneIn(4)
    const after = logAfter(chance.oneIn(3) ? LOG : changed(chance, LOG), change, 1)
    assert.ok(after === undefined || isObject(after.row.settled))
  })
})

test('localStorage that holds anything: it is read, written and read again', async () => {
  await eachSeed(3_000, chance => {
    const items = new Map()
    globalThis.window = { localStorage: localStorageOf(items) }
    const [journal, prefix] = ['j/', 'p/']
    for (let i = chance.roll(5); i > 0; i--) {
      const [key, value] = chance.pick([['j/20260101-a/1', [ENTRY]], ['j/x', [ENTRY]], ['j/b/2', ENTRY], ['p/event/0000000000000001', [EVENT]], ['p/log', LOG], ['p/state', {}]])
      items.set(key, textLike(chance, value))
    }
    assert.ok(localStorageWorks())
    checkStored(storedLocal(journal, prefix))
    clientsOf([['20260101-a', 1]], journal)
    for (const theirs of [true, false]) assert.ok(Array.isArray(journalOf(journal, ['20260101-a'], theirs)[1]))
    const change = new Change()
    change.put('20260102-b', 1, 1, 9, 1, 20, '', { type: 'mine' })
    change.stand(chance.roll(3), 'l', chance.roll(4), 'c')
    change.event(1, EVENT.action)
    if (chance.oneIn(3)) change.state = { fresh: true }
    changeLocal(journal, prefix, change)
    const stored = storedLocal(journal, prefix)
    checkStored(stored)
    assert.ok(stored.rows.some(row => row.client === '20260102-b' && row.action.type === 'mine'), 'what was dispatched is there')
  })
})

/** As much of it as is used. */
function localStorageOf(items) {
  return new Proxy({
    getItem: key => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, String(value)),
    removeItem: key => void items.delete(key),
  }, { ownKeys: () => [...items.keys()], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }) })
}
