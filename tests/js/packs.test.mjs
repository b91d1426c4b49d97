/** Packs are copies: whatever becomes of them, and whenever, the entries that are read are those that are stored. */
import 'fake-indexeddb/auto'
import { after, test } from 'node:test'
import { packBehind, packLater, packsOf, readStored } from '../../src/packs.js'
import { Change } from '../../src/rows.js'
import { assert, settle, until } from './lib/rig.mjs'

const clients = ['20261101-aaaaaaaaaaaaaaaa', '20261102-bbbbbbbbbbbbbbbb']
const opened = []
after(() => opened.forEach(db => db.close()))

const row = (client, n) => {
  const text = JSON.stringify({ type: 'say', payload: `${client} ${n}` })
  return { client, n, from: n, order: n * 10, schema: 1, bytes: text.length, text }
}
const nameOf = ({ client, n }) => `${client}/${n}`
const done = request => new Promise((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) }))

/** A database with these entries. */
async function database(name, rows) {
  const opening = indexedDB.open(name)
  opening.onupgradeneeded = () => ['outbox', 'events', 'meta'].forEach(store => opening.result.createObjectStore(store))
  const db = await done(opening)
  opened.push(db)
  await write(db, outbox => rows.forEach(row => outbox.put(row, [row.client, row.n])))
  return db
}

async function write(db, work) {
  const writing = db.transaction(['outbox', 'meta'], 'readwrite')
  work(...['outbox', 'meta'].map(name => writing.objectStore(name)))
  await new Promise(resolve => (writing.oncomplete = resolve))
}

const read = db => new Promise(resolve => readStored(db, resolve))
const packsIn = async db => (await done(db.transaction('meta').objectStore('meta').getAllKeys())).filter(([kind]) => kind === 'pack')
const packed = (db, count) => until(`${count} packs`, async () => (await packsIn(db)).length === count, { seen: () => packsIn(db) })
const range = (from, to, client = clients[0]) => Array.from({ length: to - from + 1 }, (_, i) => row(client, from + i))

/** As a write does it. */
const perform = (db, change) =>
  write(db, (outbox, meta) => {
    for (const row of change.rows) outbox.put(row, [row.client, row.n])
    for (const id of change.gone) outbox.delete(id)
    for (const packs of packsOf(change)) meta.delete(packs)
  })

test('what is packed and what is not, of several clients, is read each once and in order', async () => {
  const rows = [...range(1, 700), ...range(250, 1_100, clients[1])]
  const db = await database('several', rows)
  const before = await read(db)
  assert.equal(before.unpacked.length, rows.length)
  packLater(db, before.unpacked)
  // 1–255 and 256–511; of the other 256–511, 512–767, 768–1023: the chunk that a client is in, and one with but six, stay as they are.
  await packed(db, 5)
  const after = await read(db)
  assert.deepEqual(after.rows.map(nameOf), before.rows.map(nameOf))
  assert.deepEqual(after.rows, before.rows)
  assert.equal(after.unpacked.length, rows.length - 255 - 256 * 4)
})

test('what is changed, dropped or settled is so, packed or not', async () => {
  const db = await database('changed', range(1, 600))
  packLater(db, (await read(db)).unpacked)
  await packed(db, 2)
  const change = new Change()
  change.put(clients[0], 7, 7, 70, 1, 99, '', { type: 'edited' })
  change.again = true
  await perform(db, change)
  assert.equal((await packsIn(db)).length, 1)
  const settled = new Change()
  settled.remove(clients[0], 300, true)
  await perform(db, settled)
  assert.deepEqual(await packsIn(db), [])
  const { rows } = await read(db)
  assert.equal(rows.find(({ n }) => n === 7).action.type, 'edited')
  assert.ok(!rows.some(({ n }) => n === 300))
  assert.equal(rows.length, 599)
})

test('what is put for the first time costs no look for a pack', () => {
  const change = new Change()
  change.put(clients[0], 7, 7, 70, 1, 99, '', { type: 'new' })
  assert.deepEqual(packsOf(change), [])
})

test('a pack that goes while it is read, or comes anew: the entries themselves are read', async () => {
  for (const anew of [false, true]) {
    const db = await database(`torn-${anew}`, range(1, 600))
    packLater(db, (await read(db)).unpacked)
    await packed(db, 2)
    const drop = new Change()
    drop.remove(clients[0], 3, false)
    // Between the two transactions of a reading.
    let transactions = 0
    const torn = new Proxy(db, {
      get: (db, name) => (...args) => {
        if (++transactions === 2) {
          perform(db, drop)
          if (anew) write(db, (outbox, meta) => meta.put(JSON.stringify(range(1, 255).slice(4)), ['pack', clients[0], 0, 0.5]))
        }
        return db[name](...args)
      },
    })
    const { rows } = await read(torn)
    assert.equal(transactions, 3)
    assert.equal(rows.length, 599)
    assert.ok(!rows.some(({ n }) => n === 3))
  }
})

test('a pack that cannot be read hides nothing', async () => {
  const db = await database('unreadable', range(1, 600))
  await write(db, (outbox, meta) => meta.put('no JSON', ['pack', clients[0], 0, 0.5]))
  assert.equal((await read(db)).rows.length, 600)
  await write(db, (outbox, meta) => meta.put('[{"n":1}]', ['pack', clients[0], 0, 0.5]))
  assert.equal((await read(db)).rows.length, 600)
})

test('rows that are none are not packed, and counted as ever', async () => {
  const db = await database('foreign', [...range(1, 600), { client: clients[0], n: 601, text: 7 }])
  await write(db, outbox => {
    outbox.put({ nothing: 'of ours' }, 5)
    outbox.put({ client: clients[0], n: 9, text: 'no JSON' }, [clients[0], 9])
  })
  const before = await read(db)
  packLater(db, before.unpacked.filter(({ n }) => n > 0))
  await packed(db, 1)
  const after = await read(db)
  assert.deepEqual([before.broken.length, after.broken.length], [3, 3])
  assert.deepEqual(after.rows.map(nameOf), before.rows.map(nameOf))
})

test('what a tab dispatched is packed when it counts on, and not if it was sent meanwhile', async () => {
  const db = await database('behind', range(256, 1_100))
  for (const n of [255, 256, 300, 511, 512, 1_100]) packBehind(db, clients[0], n)
  await packed(db, 3)
  const { rows, unpacked } = await read(db)
  assert.deepEqual([rows.length, unpacked.length], [845, 77])
})

test('a database that is closed is left alone', async t => {
  const db = await database('closed', range(1, 600))
  const { unpacked } = await read(db)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  packLater(db, unpacked)
  db.close()
  // What it threw here, or in a promise of its own, would be this test's failure.
  t.mock.timers.tick(10_000)
  await settle()
})
