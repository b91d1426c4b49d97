/**
 * IndexedDB: one database for each stored outbox, every write one transaction with an explicit `commit()`.
 *
 * Without the explicit commit a transaction does not survive the death of its tab. Stores:
 * - `outbox`: entries by `[client, n]`
 * - `events`: lists of accepted events, by the place of their first
 * - `meta`: `log` (cursor, settled numbers) and `state`, where the events begin; the terms of `terms.js` and the
 *   packs of `packs.js`
 *
 * Every tab puts and removes entries. The log is written by the tab that leads, as long as its term lasts.
 */
import { packBehind, packLater, packsOf, readStored } from './packs.js'
import { Stored, beginNewLog, logAfter, transaction } from './rows.js'
import { beginTerm, fence } from './terms.js'

const VERSION = 1
const STORES = ['outbox', 'events', 'meta']

const nameOf = name => `twinstore:${name}`

/** Whether this platform has IndexedDB. */
export const databasesExist = () => typeof globalThis.indexedDB === 'object' && globalThis.indexedDB !== null

/** What a tab knows of the stored log. */
export class Log {
  /** The last term in which this tab led; 0: it never did. */
  term = 0
  /** Its row as this tab read or wrote it last: while it leads, nobody else writes it. */
  row
  /** How often this tab wrote it: what was read before may be older. */
  writes = 0

  /** `shared`: tabs cannot agree on one that leads: each of them writes the log, and reads first what others wrote. */
  constructor(shared) {
    this.shared = shared
  }
}

/** Opens a database, and makes its stores where it is new. */
export async function openDatabase(name, strict, log) {
  // First: nothing is to be written behind a torn record.
  await new Promise(beginNewLog)
  const request = globalThis.indexedDB.open(nameOf(name), VERSION)
  request.onupgradeneeded = () => STORES.forEach(store => request.result.createObjectStore(store))
  return new Database(await answer(request), strict, log)
}

/** Erases a database; resolves when it is gone, or was never there. */
export async function deleteDatabase(name) {
  try {
    await answer(globalThis.indexedDB.deleteDatabase(nameOf(name)))
  } catch {
    // There is none.
  }
}

class Database {
  #db
  /** Whether a commit waits for the disk, so that a power cut loses nothing. */
  #strict
  #log

  constructor(db, strict, log) {
    this.#db = db
    this.#strict = strict
    this.#log = log
  }

  /** Calls `lost` when the browser or another tab takes the database away. */
  onLost(lost) {
    this.#db.onversionchange = this.#db.onclose = () => {
      this.#db.close()
      lost()
    }
  }

  /** Whether transactions can be begun. */
  get isOpen() {
    try {
      this.#begin(false)
      return true
    } catch {
      return false
    }
  }

  close() {
    this.#db.onversionchange = this.#db.onclose = null
    this.#db.close()
  }

  /** Everything that is stored. */
  async read() {
    const { writes } = this.#log
    const stored = await new Promise(done => readStored(this.#db, done))
    if (!(stored instanceof Stored)) throw stored
    if (this.#log.writes === writes) this.#log.row = stored.log
    return stored
  }

  /** A client's rows, from a number on. A list comes after every number. */
  rowsOf(client, from) {
    return this.#ask(outbox => outbox.getAll(IDBKeyRange.bound([client, from], [client, []])))
  }

  /** The keys of all entries. */
  keys() {
    return this.#ask(outbox => outbox.getAllKeys())
  }

  async #ask(question) {
    const { begun, outbox } = this.#begin(false)
    const request = question(outbox)
    // Or it would last until this tab hears the answer: a frozen one would keep all others from writing.
    begun.commit()
    await ended(begun)
    return request.result
  }

  /** Packs what was read entry by entry. */
  packLater(stored) {
    packLater(this.#db, stored.unpacked)
  }

  /** Packs what a client dispatched before this number. */
  packBehind(client, n) {
    packBehind(this.#db, client, n)
  }

  /** Performs a change, as one transaction, which is begun at once. */
  async change(change) {
    const stores = this.#begin(true)
    const { outbox, meta } = stores
    for (const row of change.rows) outbox.put(row, [row.client, row.n])
    for (const key of change.gone) outbox.delete(key)
    for (const packs of packsOf(change)) meta.delete(packs)
    if (!change.isLog) stores.begun.commit()
    else if (this.#log.shared) this.#writeSharedLog(stores, change)
    else {
      fence(meta, this.#log.term)
      this.#writeLog(stores, change)
    }
    await ended(stores.begun)
  }

  #writeSharedLog(stores, change) {
    const request = stores.meta.get('log')
    request.onsuccess = () => {
      try {
        this.#log.row = request.result
        this.#writeLog(stores, change)
      } catch {
        stores.begun.abort()
      }
    }
  }

  #writeLog({ begun, events, meta }, change) {
    const { moved, row, state } = logAfter(this.#log.row, change)
    if (moved && change.state !== undefined) {
      events.clear()
      meta.put(state, 'state')
    }
    if (moved && change.events.length > 0) events.put(change.events, change.events[0].seq)
    meta.put(row, 'log')
    this.#log.row = row
    this.#log.writes++
    begun.commit()
  }

  /** Begins a term after all others: from then on no other tab writes the log. */
  async claim() {
    if (this.#log.shared) return
    const term = await new Promise(done => beginTerm(this.#db, done))
    if (typeof term !== 'number') throw term
    this.#log.term = term
  }

  #begin(write) {
    const begun = transaction(this.#db, STORES.join(' '), write, this.#strict)
    const [outbox, events, meta] = STORES.map(store => begun.objectStore(store))
    return { begun, outbox, events, meta }
  }
}

/** Resolves when the transaction is complete, rejects when it was aborted. One of the two always comes. */
function ended(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = resolve
    transaction.onabort = () => reject(transaction.error)
  })
}

/** The request's result. A blocked request waits until the others have closed. */
function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}
