/**
 * Where the outbox lies: IndexedDB, with a journal in localStorage for what is still on its way there; else
 * localStorage; memory where there is neither.
 *
 * Keeps the promise of `dispatch`: when it has returned, the tab's death loses nothing (in bursts at most
 * `limits.burst` actions). Each write of the engine is one transaction. A home that fails is opened again, or
 * left for the next one: the outbox is carried along, and the app is told.
 */
import { Log, databasesExist, deleteDatabase, openDatabase } from './database.js'
import { Change, Stored, changeLocal, clientsOf, journalOf, localKeys, localStorageWorks, removeLocal, storedLocal, unjournal } from './rows.js'
import { isTaken } from './terms.js'

/** How often a database that was lost is opened again. */
const REOPENINGS = 3

/** What storage tells its driver (`src/storage/mod.rs`). */
const RESTORED = 0, PERSISTED = 1, MOVED = 2, CARRIED = 3, EVERYTHING = 4

/** The storage of one twin. */
export class Storage {
  /** Where entries are kept now, as the app sees it. While it is being opened they have the journal alone. */
  kind = 'opening'
  #options
  #host
  #tell
  /** What the keys of the journal's entries begin with, and those of the log where localStorage is its home. */
  #entries
  #logs
  /** Something shall outlive the tab, and this page may write to localStorage. */
  #journals
  #database
  #log
  /** This tab leads: it writes the log, and nobody else. */
  #leads = false
  /** How often it began or ceased to. */
  #turns = 0
  /** How often the home was lost: a late answer of an earlier one is known as such. */
  #losses = 0
  /** Entries dispatched since the task began. */
  #inTask = 0
  /** Entries that wait for a common transaction: of a burst, or until IndexedDB is open. */
  #gathered = new Change()
  /** How many, and the last one's number. */
  #count = 0
  #last = 0
  /** The journal's keys of what was dispatched while IndexedDB was opening. */
  #journaled = []

  /** Opens the storage of these options; `tell` hears what was there. */
  constructor(options, host, tell) {
    this.#options = options
    this.#host = host
    this.#tell = tell
    this.#entries = `twinstore:journal:${options.key}:`
    this.#logs = `twinstore:log:${options.key}:`
    this.#journals = !options.memory && localStorageWorks()
    this.#log = new Log(options.leads)
    queueMicrotask(() => {
      if (options.memory || !databasesExist()) this.#restore(undefined, '')
      else void this.#open((stored, reason) => this.#restore(stored, reason))
    })
  }

  get isMemory() {
    return this.kind === 'memory'
  }

  get #isOpening() {
    return this.kind === 'opening'
  }

  /** Stores the one entry of a change, of this page load, in place of that of the number `gone`; 0: of none. */
  enqueue(n, gone, change) {
    if (this.isMemory) return this.#tell(PERSISTED, n)
    if (this.#inTask++ === 0) {
      // At the task's end, as far as a page can see it: the burst is over.
      queueMicrotask(() => {
        this.#inTask = 0
        this.#flush()
      })
    }
    const { client, burst } = this.#options
    this.#gathered.rows.push(...change.rows)
    if (gone) this.#gathered.remove(client, gone, false)
    this.#last = n
    this.#count++
    if (this.#isOpening) {
      // Until it is open each is journaled by itself.
      this.#journaled.push(this.#journal(client, n, change.rows))
      // After the new one: who reads both knows by its `from` that the older one is in it.
      if (gone) this.#takeOut(this.#gathered.gone)
    } else if (this.#inTask <= burst || this.#count >= burst) this.#flush()
  }

  /** Performs a change, in one transaction. */
  write(change) {
    // What was done before may stand in a journal that nobody puts into the database any more.
    if (!change.moves) this.#takeOut(change.gone)
    if (this.#isOpening) {
      this.#count++
      // A later content of an action that has but its journal.
      for (const row of change.rows) this.#journal(row.client, row.n, [row])
      return this.#gathered.join(change)
    }
    // What was dispatched before is on disk before: one order.
    this.#flush()
    this.#perform(change, 0, [])
  }

  /** Reads everything again. Calls `done` with it; with nothing where it cannot be read. */
  read(done) {
    const losses = this.#losses
    if (!this.#database) return queueMicrotask(() => done())
    const read = stored => {
      this.#addJournals(stored)
      done(stored)
    }
    this.#database.read().then(read, error => {
      done()
      this.#lose(losses, reasonOf(error))
    })
  }

  /**
   * Reads the entries of a client from a number on; `journal`: and what its journal holds, for `keep`. Calls `done`
   * with `[rows, left]`; with nothing where they cannot be read.
   */
  readClient(client, from, journal, done) {
    // What stands in a journal may be done already: the database will say.
    if (this.#isOpening) return done()
    const losses = this.#losses
    const read = rows => {
      const stored = new Stored(rows, [])
      const [keys, left] = journal ? journalOf(this.#entries, [client], true) : [[], []]
      stored.add(left)
      const first = left.reduce((first, row) => Math.min(first, row?.n ?? Infinity), Infinity)
      done([stored.rows, { keys, first }])
    }
    // In localStorage all is in the journal.
    if (!this.#database) return read([])
    this.#database.rowsOf(client, from).then(read, error => {
      done()
      this.#lose(losses, reasonOf(error))
    })
  }

  /** Puts what a client left in its journal into the database. */
  keep({ keys }, change) {
    if (this.#database) this.#perform(change, 0, keys)
  }

  /** Names the clients that have something stored; while the home is being opened, nobody. */
  clients(found) {
    if (this.#isOpening) return found([])
    const name = keys => found(clientsOf(keys, this.#entries))
    if (!this.#database) return name([])
    this.#database.keys().then(name, () => found([]))
  }

  /**
   * This tab leads from now on, and nobody else writes the log; or it follows. Calls `then` when that is so, unless it
   * is to be otherwise by then.
   */
  lead(leads, then) {
    this.#leads = leads
    const turn = ++this.#turns
    // A database that is being opened is claimed before it is read.
    if (!leads || !this.#database) return then()
    const losses = this.#losses
    const claimed = () => this.#turns === turn && then()
    this.#database.claim().then(claimed, error => {
      claimed()
      this.#lose(losses, reasonOf(error))
    })
  }

  /** Something may have happened to it while the page slept. */
  probe() {
    if (this.#database?.isOpen === false) this.#lose(this.#losses, 'the database was closed')
  }

  /** Ends all access. The data stays. */
  close() {
    this.#losses = Infinity
    this.#database?.close()
    this.#moveTo('memory')
  }

  /** Erases what is stored. */
  erase(done) {
    this.close()
    removeLocal([...localKeys(this.#entries), ...localKeys(this.#logs)])
    void deleteDatabase(this.#options.key).then(() => done())
  }

  /**
   * Opens the database, claims it where this tab leads, and reads it: in this order, so that what is read is what
   * there is. Calls `then` with what it holds, or with why it cannot be had.
   */
  async #open(then) {
    const losses = this.#losses
    let stored, reason
    try {
      const { key, strict } = this.#options
      const database = await openDatabase(key, strict, this.#log)
      for (let turn; !stored || (this.#leads && this.#turns !== turn); ) {
        turn = this.#turns
        if (this.#leads) await database.claim()
        stored = await database.read()
      }
      // The twin was closed meanwhile.
      if (this.#losses !== losses) return database.close()
      database.onLost(() => this.#lose(losses, 'the database was taken away'))
      this.#moveTo('indexedDB', database)
    } catch (error) {
      reason = reasonOf(error)
    }
    if (this.#losses === losses) then(stored, reason)
  }

  #restore(stored, reason) {
    if (this.#database) this.#addJournals(stored)
    else {
      this.#moveOn()
      stored = this.#journals ? storedLocal(this.#entries, this.#logs) : undefined
    }
    // Begun before anything that RESTORED may dispatch, and so written before it.
    this.#flush()
    this.#database?.packLater(stored)
    this.#tell(RESTORED, stored)
    if (reason) this.#tell(MOVED, reason)
  }

  /** What others left on its way to the database is shown at once; who sends it is seen later. */
  #addJournals(stored) {
    stored.add(journalOf(this.#entries, [this.#options.client], false)[1])
  }

  /** Adds rows of a client to the journal; `n` is the first one's number. Gives their key. */
  #journal(client, n, rows) {
    const key = `${this.#entries}${client}/${n}`
    try {
      if (this.#journals) globalThis.window.localStorage.setItem(key, JSON.stringify(rows))
    } catch {
      // It is full: the entries have no journal, only IndexedDB.
    }
    return key
  }

  #takeOut(ids) {
    if (this.#journals) unjournal(this.#entries, ids)
  }

  /** Journals and writes what was gathered. */
  #flush() {
    if (this.#count === 0 || this.#isOpening) return
    this.#count = 0
    const change = this.#takeGathered()
    const keys = this.#journaled.splice(0)
    const [first] = change.rows
    if (this.#database && first) keys.push(this.#journal(this.#options.client, first.n, change.rows))
    this.#perform(change, this.#last, keys)
  }

  #takeGathered() {
    const gathered = this.#gathered
    this.#gathered = new Change()
    return gathered
  }

  /** One transaction for all, so that none can overtake another; then the journal is no longer needed. */
  #perform(change, own, keys) {
    const losses = this.#losses
    const failed = error => {
      if (isTaken(error)) return this.#host.noted('outranked', '', '', 0)
      this.#lose(losses, reasonOf(error))
      // The entries come along to the next home, and what was to be taken out is taken out there.
      const left = new Change()
      left.repeat(change)
      this.write(left)
    }
    if (this.#database) {
      this.#database.change(change).then(() => {
        removeLocal(keys)
        // What another home is to take is not stored yet, whatever was stored behind it in the last one.
        if (this.#losses === losses) this.#written(own)
        // Of what was dispatched other tabs hear by its number.
        if (!own && change.isNews) this.#host.changed()
      }, error => {
        // The next home takes them: then their journal is needed no more.
        if (!isTaken(error)) this.#journaled.push(...keys)
        failed(error)
      })
      return
    }
    try {
      if (!this.isMemory) changeLocal(this.#entries, this.#logs, change)
    } catch (error) {
      return failed(error)
    }
    this.#written(own)
  }

  /** In memory it is as stored as it can be: it may be sent, and `durable` says what it is not. */
  #written(own) {
    if (!own) return
    this.#tell(PERSISTED, own)
    this.#database?.packBehind(this.#options.client, own)
  }

  /** The home is lost: opened again, or the next one taken. The outbox comes along. */
  #lose(losses, reason) {
    // Known already, or nothing to lose.
    if (this.#losses !== losses || this.isMemory) return
    this.#losses++
    const database = this.#database
    database?.close()
    this.#moveTo('opening')
    const carry = () => {
      if (this.#isOpening) this.#moveOn()
      this.#carry(reason)
    }
    // A full disk is full the next time too.
    if (database && losses < REOPENINGS && !isFull(reason)) return void this.#open(carry)
    if (!database) this.#moveTo('memory')
    carry()
  }

  #moveTo(kind, database) {
    this.kind = kind
    this.#database = database
  }

  /** Where IndexedDB cannot be had. */
  #moveOn() {
    this.#moveTo(this.#journals ? 'localStorage' : 'memory')
  }

  /** Stores all there is in the new home. */
  #carry(reason) {
    this.#count = 0
    const meanwhile = this.#takeGathered()
    this.#tell(MOVED, reason)
    const [change, last] = this.#tell(EVERYTHING)
    change.repeat(meanwhile)
    this.#perform(change, last, this.#journaled.splice(0))
    this.#host.changed()
    this.#tell(CARRIED)
  }
}

/** The disk has no room for us: by the name of today, and that of old Firefox. */
const isFull = reason => reason === 'QuotaExceededError' || reason === 'NS_ERROR_DOM_QUOTA_REACHED'

const reasonOf = error => error?.name ?? ''
