/**
 * What is stored, as rows: changes put together, what was read put in order; and localStorage, which holds the
 * journal, and everything where there is no IndexedDB.
 *
 * - an entry: `{ client, n, from, order, schema, bytes, text, held? }`, `text` being the action as JSON
 * - an event: `{ seq, action }`, in lists by frame
 * - the state: `{ state, base }`, `base` being a name of its place
 * - the log: `{ cursor: { log, seq, chain, schema }, settled: { [client]: n }, epoch, passed, base, count }`, `passed` being what was settled in epochs before, `base`
 *   the state that it begins with, and `count` how many events stand behind that: of writes that follow on each other one may have failed
 */
import { actionOf, mergedAction, textOf, weigh } from './web.js'

/** A change of what is stored, in the making. */
export class Change {
  rows = []
  gone = []
  events = []
  settled = {}
  state
  /** Where the log was held before; the events follow on there. */
  after = 0
  /** The chain there, where it is known. */
  before = ''
  cursor
  /** Of the state: another one after each reset of the server. */
  epoch = 0
  /** It also puts or takes out what was put before. */
  again = false
  #compacts = false
  #dropped = false

  put(client, n, from, order, schema, bytes, held, action) {
    this.rows.push({ client, n, from, order, schema, bytes, text: textOf(action), ...(held && { held }) })
  }

  remove(client, n, settled) {
    this.again = true
    this.gone.push([client, n])
    if (!settled) this.#take(client, n)
    this.#dropped ||= !settled
    // Numbers come in order: the last one noted is the highest.
    if (settled) this.settled[client] = n
  }

  event(seq, action) {
    this.events.push({ seq, action })
  }

  /** `schema`: of the app that folded the events up to there. */
  stand(after, log, seq, chain, before = '', schema = undefined) {
    this.after = after
    this.before = before
    this.cursor = { log, seq, chain, schema }
  }

  /** A state in place of what was stored. `compacts`: of the events that led to it, which is no news for anybody. */
  standIn(state, epoch, compacts) {
    this.state = state
    this.epoch = epoch
    this.#compacts = compacts
  }

  /** Takes in another change that comes after, and is not about the log. */
  join(other) {
    for (const [client, n] of other.gone) this.#take(client, n)
    this.rows = this.rows.concat(other.rows)
    this.#leave(other)
  }

  /**
   * What is still to be done of another change where the entries themselves come along by other ways: what it takes out, and what it holds.
   * What it settles is the log's, which whoever leads may write.
   */
  repeat(other, leads) {
    this.rows = this.rows.concat(other.rows.filter(row => row.held))
    this.#leave(other)
    if (!leads) this.settled = {}
  }

  #leave(other) {
    this.again = true
    this.gone = this.gone.concat(other.gone)
    Object.assign(this.settled, other.settled)
  }

  /** A row that is to be put no more: a journal of this change would bring it back. */
  #take(client, n) {
    this.rows = this.rows.filter(row => row.client !== client || row.n !== n)
  }

  /** Whether other tabs read again what is stored. */
  get isNews() {
    return this.#dropped || this.rows.length > 0 || (this.state !== undefined && !this.#compacts)
  }

  /** Whether it is about the log, which one tab alone may write. */
  get isLog() {
    return this.moves || Object.keys(this.settled).length > 0
  }

  /** Whether it brings events or a state. */
  get moves() {
    return this.cursor !== undefined || this.state !== undefined
  }
}

/** Clients that were made longer ago, and have nothing stored, are forgotten. */
const CLIENT_DAYS = 60

/** The log's row after a change, and its state. `moved`: it leads further than what was stored, with the events or the state that come with it. */
export function logAfter(row, change) {
  const known = row?.cursor
  const { after, before: chain, cursor, state } = change
  // A state may be of another log: the server was reset. Events may not, and leave no hole.
  const follows = cursor !== undefined && (known?.seq ?? 0) === after && (known?.log ?? cursor.log) === cursor.log && (!chain || (known?.chain ?? chain) === chain)
  // Nor may a state that is older: of a tab that slept, and leads again.
  const older = known !== undefined && change.epoch === row.epoch && (cursor === undefined || (cursor.log === known.log && cursor.seq < known.seq))
  const moved = follows || (state !== undefined && !older)
  const oldest = new Date(Date.now() - CLIENT_DAYS * 864e5).toISOString().slice(0, 10).replaceAll('-', '')
  // What was settled in another epoch is settled no more.
  const epoch = state === undefined || !moved ? row?.epoch : change.epoch
  const [before, passed] = epoch === row?.epoch ? [row?.settled, row?.passed] : [{}, { ...row?.passed, ...row?.settled }]
  const settled = {}
  for (const [client, n] of [...Object.entries(before ?? {}), ...Object.entries(change.settled)]) {
    if (!(client < oldest)) settled[client] = Math.max(n, settled[client] ?? 0)
  }
  const replaced = state !== undefined && moved
  const base = replaced ? `${epoch}/${cursor?.chain ?? ''}` : row?.base
  const count = replaced ? 0 : (row?.count ?? 0) + (moved ? change.events.length : 0)
  return { moved, row: { cursor: moved ? cursor : known, settled, epoch, passed, base, count }, state: { state, base } }
}

/** What was read, in order: entries each once, the log, and the rows that are none. */
export class Stored {
  /** Rows that were read one by one. */
  unpacked = []

  constructor(rows, events, log, base) {
    this.events = events.flat()
    this.log = log
    this.state = base?.state
    this.rows = []
    this.broken = []
    if (log?.base !== base?.base || !this.#isLog()) {
      // The server has all of it.
      this.broken.push(log)
      this.events = []
      this.log = this.state = undefined
    }
    this.add(rows)
  }

  /** Adds what a journal holds. */
  add(rows) {
    const seen = new Map()
    const isNew = ({ client, n }) => {
      const numbers = seen.get(client) ?? new Set()
      seen.set(client, numbers)
      return numbers.size < numbers.add(n).size
    }
    this.rows.forEach(isNew)
    for (const row of rows) {
      if (!isEntry(row)) this.broken.push(row)
      else if (isNew(row)) this.rows.push(row)
    }
    // The same in every tab, however it was read.
    this.rows.sort((a, b) => a.order - b.order || a.n - b.n || (a.client < b.client ? -1 : 1))
  }

  /** Brings entries of older schemas up to date, and what is shown of the log until the server has given its own state. */
  upToDate(options) {
    upToDate(this.rows, options)
    const schema = this.log?.cursor?.schema
    if (!(schema < options.schema)) return
    const { upcast = action => action, migrate = state => state } = options
    try {
      this.events = this.events.map(event => ({ ...event, action: upcast(event.action, schema) }))
      if (this.state !== undefined) this.state = migrate(this.state, schema)
    } catch {
      this.events = []
      this.state = undefined
    }
  }

  /** Whether cursor and events belong together, where there are any. */
  #isLog() {
    const { events, log } = this
    const cursor = log?.cursor
    // A write of some may have failed, and that of later ones not.
    if (events.length !== (log?.count ?? events.length)) return false
    // The state of a log without events has no cursor.
    if (cursor === undefined) return events.length === 0 && (typeof log === 'object' || this.state === undefined)
    const isEvent = ({ seq, action } = {}, i) => isCount(seq) && seq <= cursor.seq && !(seq <= events[i - 1]?.seq) && typeof action?.type === 'string'
    return isCount(cursor?.seq) && isName(cursor.log) && isName(cursor.chain) && events.every((event, i) => isEvent(event ?? {}, i))
  }
}

/** Rows column by column, to cross into WASM at once: a number for each of the first six, `client` being its place in `clients`. */
export function columnsOf(rows) {
  const places = new Map()
  const placeOf = client => places.get(client) ?? (places.set(client, places.size), places.size - 1)
  const numbers = new Float64Array(rows.length * 6)
  let i = 0
  for (const { client, n, from = n, order, schema, bytes } of rows) {
    for (const number of [placeOf(client), n, from, order, schema, bytes]) numbers[i++] = number
  }
  return { clients: [...places.keys()], numbers, helds: rows.map(row => row.held), actions: rows.map(row => row.action) }
}

/** Brings rows of older schemas up to date by the app's `upcast`, and holds what it cannot, and those of newer schemas. */
export function upToDate(rows, { schema, upcast, actionBytes, actionDepth }) {
  for (const row of rows) {
    if (row.schema > schema) row.held ??= 'schema'
    else if (row.schema < schema && upcast) bringUpToDate(row, schema, upcast, actionBytes, actionDepth)
  }
}

function bringUpToDate(row, schema, upcast, bytesMax, depthMax) {
  try {
    const action = mergedAction(upcast(row.action, row.schema), row.action)
    row.bytes = weigh(action, bytesMax, depthMax)
    Object.assign(row, { action, schema })
  } catch {
    row.held ??= 'schema'
  }
}

const name = row => `${row.client}/${row.n}`
/** Half of what a number can hold exactly, so that there is room behind it. */
const isCount = value => Number.isInteger(value) && value >= 0 && value < 2 ** 52
/** The last name that was one: a client's rows come together. */
let lastName
const isName = value => value === lastName || (typeof value === 'string' && /^[\w.:-]{1,64}$/.test(value) && ((lastName = value), true))

/** Whether a row is an entry; its action is read then. */
export function isEntry(row) {
  try {
    row.action = actionOf(row.text)
    const { client, n, from = n, order, bytes, schema, action } = row
    return isName(client) && [n, from, order, bytes, schema].every(isCount) && n > 0 && bytes >= row.text.length && typeof action.type === 'string'
  } catch {
    return false
  }
}

const disk = () => globalThis.window.localStorage

/** The keys of localStorage with this prefix; none where it cannot be used. */
export function localKeys(prefix) {
  try {
    return Object.keys(disk()).filter(key => key.startsWith(prefix))
  } catch {
    return []
  }
}

/** Removes items, which a full localStorage allows as well. */
export function removeLocal(keys) {
  try {
    for (const key of keys) disk().removeItem(key)
  } catch {
    // There is none.
  }
}

/** Takes entries, `[client, n]`, out of the journal. A burst stands in one line, under the first one's number: the others of it stay. */
export function unjournal(prefix, ids) {
  // Lines that are not under an entry's own number are looked through once for all.
  const others = new Map()
  for (const [client, n] of ids) {
    if (takeOut(`${prefix}${client}/${n}`, [n])) continue
    others.set(client, [...(others.get(client) ?? []), n])
  }
  for (const [client, ns] of others) for (const line of localKeys(`${prefix}${client}/`)) takeOut(line, ns)
}

/** Whether a line held one of these. */
function takeOut(line, ns) {
  const rows = [local(line)].flat()
  const rest = rows.filter(row => !ns.includes(row?.n))
  if (rest.length === rows.length) return false
  // What is shorter has room in a full localStorage as well.
  if (rest.length > 0) disk().setItem(line, JSON.stringify(rest))
  else disk().removeItem(line)
  return true
}

/** The journal's keys of these clients, or of all others: `[keys, rows]`. */
export function journalOf(prefix, clients, theirs) {
  const keys = localKeys(prefix).filter(key => clients.includes(key.slice(prefix.length).split('/')[0]) === theirs)
  return [keys, keys.flatMap(key => local(key, [{ key }]))]
}

/** The clients that have something stored. */
export function clientsOf(keys, prefix) {
  return [...new Set([...keys.map(([client]) => client), ...localKeys(prefix).map(key => key.slice(prefix.length).split('/')[0])])]
}

/** A client writes no bursts any more once another of its rows is written here. */
const spreadClients = new Set()

/** Gives each entry of a client's bursts a line of its own: else writing the first again would take the others. */
function spread(journal, client) {
  const lines = `${journal}${client}/`
  if (spreadClients.has(lines)) return
  for (const line of localKeys(lines)) {
    const [first, ...others] = [local(line)].flat()
    for (const row of others) if (isCount(row?.n)) disk().setItem(`${lines}${row.n}`, JSON.stringify([row]))
    if (others.length > 0) disk().setItem(line, JSON.stringify([first]))
  }
  spreadClients.add(lines)
}

/** A change, in localStorage. Throws where it is full. */
export function changeLocal(journal, prefix, change) {
  const store = disk()
  for (const { client } of change.rows) spread(journal, client)
  for (const row of change.rows) store.setItem(`${journal}${name(row)}`, JSON.stringify([row]))
  unjournal(journal, change.gone)
  if (!change.isLog) return
  const { moved, row, state } = logAfter(local(`${prefix}log`), change)
  if (moved && change.state !== undefined) {
    // With its place: a page that dies before the last of these lines leaves a state that is newer than the log's row.
    store.setItem(`${prefix}state`, JSON.stringify({ ...state, row }))
    for (const key of localKeys(`${prefix}event`)) store.removeItem(key)
  }
  if (moved && change.events.length > 0) store.setItem(`${prefix}event/${String(change.events[0].seq).padStart(16, '0')}`, JSON.stringify(change.events))
  store.setItem(`${prefix}log`, JSON.stringify(row))
}

/** What `changeLocal` stored. */
export function storedLocal(journal, prefix) {
  const rows = journalOf(journal, [], false)[1]
  const base = local(`${prefix}state`)
  const log = local(`${prefix}log`)
  const beyond = ({ epoch, cursor }) => epoch !== log?.epoch || !((cursor?.seq ?? 0) <= (log?.cursor?.seq ?? 0))
  if (base?.row && beyond(base.row)) return new Stored(rows, [], base.row, base)
  const events = localKeys(`${prefix}event`).sort().map(key => local(key, []))
  const stored = new Stored(rows, events, log, base)
  // What does not belong together would keep out what the server says now.
  if (!stored.log) removeLocal([`${prefix}log`, `${prefix}state`, ...localKeys(`${prefix}event`)])
  return stored
}

function local(key, otherwise) {
  try {
    return JSON.parse(disk().getItem(key)) ?? otherwise
  } catch {
    return otherwise
  }
}

/** Whether this page may write to localStorage. */
export function localStorageWorks() {
  try {
    const probe = 'twinstore:probe'
    disk().setItem(probe, probe)
    disk().removeItem(probe)
    return true
  } catch {
    return false
  }
}

/** Longer than it takes on a slow disk: then a frozen tab is in the way. */
const NEW_LOG_MS_MAX = 1_000

/**
 * Makes Chromium's IndexedDB go on in a new log file, by making and deleting a database; calls `done` then.
 *
 * A browser that is killed while it writes leaves half a record at the end of the log. The next start reads it
 * rightly, but writes on behind it; the start after that finds the log damaged and throws all of it away.
 */
export function beginNewLog(done) {
  const name = 'twinstore'
  // Others have no such log, and would only be kept waiting.
  if (!globalThis.navigator?.userAgentData && !globalThis.chrome) return done()
  let ended = false
  const end = () => ended || ((ended = true), clearTimeout(timer), done())
  const timer = setTimeout(end, NEW_LOG_MS_MAX)
  try {
    const opening = globalThis.indexedDB.open(name)
    opening.onerror = end
    opening.onsuccess = () => {
      opening.result.close()
      const deleting = globalThis.indexedDB.deleteDatabase(name)
      deleting.onsuccess = deleting.onerror = deleting.onblocked = end
    }
  } catch {
    end()
  }
}

/** Begins a transaction; web-sys keeps the third argument behind an unstable flag. */
export function transaction(db, stores, write, strict) {
  return db.transaction(stores.split(' '), write ? 'readwrite' : 'readonly', { durability: strict ? 'strict' : 'relaxed' })
}
