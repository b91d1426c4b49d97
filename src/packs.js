/**
 * Packs: copies of many entries in one record, so that a start with a large outbox is quick.
 *
 * A record of its own for each entry is what a dispatch needs; but Chromium takes ten times as long to read 20,000
 * records as to read the same in eighty. So entries are copied, by 256 numbers of a client, into the store `meta`,
 * as `['pack', client, numbers / 256, when]`. The entries themselves stay where they are: a pack is never the only
 * place of anything. Whoever changes or removes an entry deletes its pack in the same transaction, whether there is
 * one or not; nobody has to know.
 */
import { Stored, isEntry, transaction } from './rows.js'

/** So many numbers are one pack's. */
const SIZE = 256
/** With fewer entries left it is not worth it. */
const ENTRIES_MIN = 128
/** Packing begins when a start, or a burst, is over; and leaves pauses for others. */
const CALM_MS = 2_000
const PAUSE_MS = 20

const chunkOf = n => Math.floor(n / SIZE)
/** A list comes after every number and every text. */
const under = key => IDBKeyRange.bound(key, [...key, []])
const numbers = (client, chunk) => IDBKeyRange.bound([client, chunk * SIZE], [client, (chunk + 1) * SIZE], false, true)

/** The ranges of the packs that a change makes wrong. */
export function packsOf({ gone, rows, again }) {
  // What is put for the first time is in none.
  const ids = again ? [...gone, ...rows.map(({ client, n }) => [client, n])] : []
  const chunks = new Map(ids.map(([client, n]) => [`${client}/${chunkOf(n)}`, ['pack', client, chunkOf(n)]]))
  return [...chunks.values()].map(under)
}

/** Reads everything. Calls `done` with what is stored, or with an error. */
export function readStored(db, done) {
  read(db).then(done, done)
}

async function read(db) {
  const [keys, texts] = await ask(db, meta => [meta.getAllKeys(under(['pack'])), meta.getAll(under(['pack']))])
  const packs = keys.map((key, i) => ({ key, rows: rowsOf(texts[i], key) })).filter(({ rows }) => rows)
  // Where one went in between, or two are about the same entries: all entries by themselves.
  return (await readAround(db, packs, keys).catch(() => undefined)) ?? readAround(db, [])
}

/** Everything, with these packs in place of their entries; undefined: there are other packs than these keys by now. */
async function readAround(db, packs, keys) {
  const [now, events, log, state, ...rows] = await ask(db, (meta, events, outbox) => [
    meta.getAllKeys(under(['pack'])), events.getAll(), meta.get('log'), meta.get('state'), ...gaps(packs).map(gap => outbox.getAll(gap)),
  ])
  if (keys && String(now) !== String(keys)) return undefined
  const stored = new Stored([...packs.map(pack => pack.rows), ...rows].flat(), events, log, state)
  stored.unpacked = rows.flat()
  return stored
}

/** One transaction, committed at once: a tab that is frozen meanwhile is in nobody's way. */
function ask(db, questions) {
  const reading = transaction(db, 'meta events outbox', false)
  const requests = questions(...['meta', 'events', 'outbox'].map(name => reading.objectStore(name)))
  reading.commit()
  return new Promise((resolve, reject) => {
    reading.oncomplete = () => resolve(requests.map(request => request.result))
    reading.onabort = () => reject(reading.error)
  })
}

/** The ranges of entries between packs, which are in order. */
function gaps(packs) {
  const ranges = []
  // Before all keys, those that are none of ours as well.
  let from = -Infinity
  for (const { key: [, client, chunk] } of packs) {
    const to = [client, chunk * SIZE]
    if (String(from) !== String(to)) ranges.push(IDBKeyRange.bound(from, to, false, true))
    from = [client, (chunk + 1) * SIZE]
  }
  return [...ranges, IDBKeyRange.lowerBound(from)]
}

/** The entries of a pack; undefined: it is none, and they are read by themselves. */
function rowsOf(text, [, client, chunk]) {
  try {
    const rows = JSON.parse(text)
    const belongs = (row, i) => row.client === client && chunkOf(row.n) === chunk && !(row.n <= rows[i - 1]?.n)
    return typeof client === 'string' && rows.length >= ENTRIES_MIN && rows.every(belongs) ? rows : undefined
  } catch {
    return undefined
  }
}

/** Packs what was read entry by entry. */
export function packLater(db, rows) {
  packAll(db, unpacked(rows))
}

/** Of each open database, the chunk that this tab's own dispatches are in. */
const own = new WeakMap()

/** Packs what a client dispatched before, when it begins another chunk and the one before is not sent yet. */
export function packBehind(db, client, n) {
  const [before, now] = [own.get(db) ?? 0, chunkOf(n)]
  if (now > before) packAll(db, Array.from({ length: now - before }, (_, i) => [client, before + i]))
  own.set(db, now)
}

/** After a while, and bit by bit: nobody waits for it. */
function packAll(db, chunks) {
  const next = () => {
    const chunk = chunks.shift()
    if (chunk) pack(db, ...chunk, () => setTimeout(next, PAUSE_MS))
  }
  if (chunks.length > 0) setTimeout(next, CALM_MS)
}

/** The one transaction that waits for an answer: another that came in between would make the pack wrong. */
function pack(db, client, chunk, done) {
  try {
    const writing = transaction(db, 'meta outbox', true)
    const [meta, outbox] = [writing.objectStore('meta'), writing.objectStore('outbox')]
    const reading = outbox.getAll(numbers(client, chunk))
    reading.onsuccess = () => {
      const rows = reading.result
      meta.delete(under(['pack', client, chunk]))
      if (rows.length >= ENTRIES_MIN && rows.every(row => isEntry({ ...row }))) meta.put(JSON.stringify(rows), ['pack', client, chunk, Math.random()])
      writing.commit()
    }
    writing.oncomplete = done
  } catch {
    // The database was closed, or lost: whoever opens it next will pack.
  }
}

/** The chunks of entries that could be packed, as `[client, chunk]`. */
function unpacked(rows) {
  const counts = new Map()
  const last = new Map()
  for (const row of rows) {
    // Any value may lie there.
    const { client, n } = row ?? {}
    if (typeof client !== 'string' || !Number.isInteger(n)) continue
    const key = JSON.stringify([client, chunkOf(n)])
    counts.set(key, (counts.get(key) ?? 0) + 1)
    last.set(client, Math.max(n, last.get(client) ?? 0))
  }
  const chunks = [...counts].filter(([, count]) => count >= ENTRIES_MIN).map(([key]) => JSON.parse(key))
  // Where a client may still be counting nothing is packed.
  return chunks.filter(([client, chunk]) => chunk < chunkOf(last.get(client)))
}
