/** Packs that hold anything, under keys of any shape: reading gives no error, and no entry is missing that a sound pack does not stand for. */
import 'fake-indexeddb/auto'
import { test } from 'node:test'
import { readStored } from '../../src/packs.js'
import { assert } from './lib/rig.mjs'
import { anything, changed, eachSeed } from './lib/hostile.mjs'

const CLIENTS = ['20261101-a', '20261102-b']
const SIZE = 256
const row = (client, n) => {
  const text = JSON.stringify({ type: 'say', payload: n })
  return { client, n, from: n, order: n, schema: 1, bytes: text.length, text }
}
const chunk = (client, k, count = SIZE) => Array.from({ length: count }, (_, i) => row(client, k * SIZE + i)).filter(({ n }) => n > 0)
const nameOf = ({ client, n }) => `${client}/${n}`
const done = request => new Promise((resolve, reject) => Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) }))

test('packs that are anything', async t => {
  const entries = CLIENTS.flatMap(client => [0, 1].flatMap(k => chunk(client, k, 140)))
  let [odd, sound] = [0, 0]
  const count = await eachSeed(60, async (chance, seed) => {
    const opening = indexedDB.open(`fuzz-packs-${seed}`)
    opening.onupgradeneeded = () => ['outbox', 'events', 'meta'].forEach(store => opening.result.createObjectStore(store))
    const db = await done(opening)
    const writing = db.transaction(['outbox', 'meta'], 'readwrite')
    for (const row of entries) writing.objectStore('outbox').put(row, [row.client, row.n])
    for (let i = chance.roll(4); i >= 0; i--) {
      const [client, k] = [chance.pick(CLIENTS), chance.roll(2)]
      const rows = entries.filter(row => row.client === client && Math.floor(row.n / SIZE) === k)
      const isSound = chance.oneIn(3)
      const value = isSound ? JSON.stringify(rows) : chance.oneIn(2) ? like(chance, rows) : anything(chance)
      const key = isSound || chance.oneIn(2) ? ['pack', client, k, chance.roll(9) / 10] : keyLike(chance, client, k)
      writing.objectStore('meta').put(value, key)
      if (isSound) sound++
      else odd++
    }
    await new Promise(resolve => (writing.oncomplete = resolve))
    const stored = await new Promise(resolve => readStored(db, resolve))
    assert.ok(Array.isArray(stored.rows), `not read: ${stored}`)
    // A pack of the right shape whose rows are damaged stands for its rows: they are set aside, and told.
    const [found, aside] = [new Set(stored.rows.map(nameOf)).size, stored.broken.length]
    assert.ok(found + aside >= entries.length, `${entries.length} are stored, ${found} were read and ${aside} set aside`)
    db.close()
    await done(indexedDB.deleteDatabase(`fuzz-packs-${seed}`))
  })
  assert.ok(odd > 0 && sound > 0, 'so that both are tried')
  t.diagnostic(`${count} databases, ${odd} packs that are none, ${sound} that are sound`)
})

/** Rows with something changed in them, or torn off. */
function like(chance, rows) {
  const text = JSON.stringify(changed(chance, rows)) ?? ''
  return chance.oneIn(4) ? text.slice(0, chance.roll(text.length + 1)) : text
}

/** A key in the range of the packs, or so. */
function keyLike(chance, client, k) {
  const key = chance.pick([['pack'], ['pack', client], ['pack', k, client], ['pack', client, k + 0.5, 1], ['pack', client, -1, 1], ['pack', client, [k], 1], ['pack', [], k], ['pack', client, k, 1, 2]])
  return chance.oneIn(4) ? key.filter(part => part !== k) : key
}
