/** What the Rust half tells of a stream (`src/host.rs`): its verdicts, status and notices, for the app. */
import { differences } from './differences.js'
import { Listeners } from './listeners.js'
import { Stores } from './stores.js'
import { type Tickets, deferred } from './tickets.js'
import { type PendingAction, type StorageKind, twinError } from './types.js'

const WIRING: Record<string, string> = {
  wiring:
    "the store does not follow its twin: the twin's reducer is missing from the store, or is wrapped, or a later middleware swallows or copies actions",
  'no-middleware':
    "an action would change a twin's slice, but the twin's middleware is not in this store: add it, last",
}
const FAILURES: Record<string, string> = {
  'bad-url': "the browser does not take `url` for a socket's address",
  'bad-message': 'the server sent a frame that is no message of this protocol',
}
const DIVERGED =
  'an accepted event threw in this client’s reducer, or led to another state than in the server: is the reducer pure, and the same? The state is taken from the server'
const RESET = 'the server was reset, or restored from a backup: what was pending is held'

type Emit = (action: unknown) => unknown

/** What a session does about what the Rust half tells. */
export interface Answers {
  /** The socket is open: hello needs a token. */
  opened(turn: number): void
  /** Own actions up to this number are stored. */
  stored(n: number): void
  /** A text came by the socket, and the frame it is. */
  said(text: string | null, frame: object | null): void
  /** The socket is closed, or could not be opened. */
  lost(): void
  /** A frame for the tabs that follow. */
  relay(text: string): void
  /** What is stored is not what it was. */
  changed(): void
  /** The server's state is needed, and another tab leads. */
  askLeader(): void
  /** The link is up or not; the schema of the server's model. */
  linked(online: boolean, schema: number): void
  /** The home of the outbox is another one. */
  moved(): void
  /** Another tab leads. */
  outranked(): void
}

export class Host {
  readonly ready = deferred<void>()
  answers: Answers | undefined
  /** Stored rows that are no entries. */
  unreadable: unknown[] = []
  /** The list that `Core.pending` fills. */
  rows: PendingAction[] = []
  readonly tickets: Tickets
  #listeners: Listeners
  #stores: Stores
  /** The state that the stores were brought to last. */
  #shown: unknown
  /** The place where the confirmed state was found to be another than the server's. */
  #diverged: number | undefined

  constructor(tickets: Tickets, listeners: Listeners, stores: Stores) {
    this.tickets = tickets
    this.#listeners = listeners
    this.#stores = stores
  }

  /** The session is over: what still comes is nobody's matter. */
  end(): void {
    this.#listeners.flush()
    this.#listeners = new Listeners()
    this.#stores = new Stores()
    this.answers = undefined
    this.tickets.close()
    this.ready.reject(twinError('closed', 'the twin was closed, or went to another stream, before the stored state was back'))
  }

  fail(code: string, message: string): void {
    this.#listeners.change({ lastError: { code, message } })
  }

  // — For the Rust half.

  issued(n: number, action: object, stamped: object): void {
    this.tickets.issue(n, action, stamped)
  }

  merged(older: number, n: number, merged: object): void {
    this.tickets.merge(older, n)
    this.tickets.alias(n, merged)
  }

  stored(n: number, inMemory: boolean): void {
    this.tickets.stored(n, inMemory)
    this.answers?.stored(n)
  }

  relay(text: string): void {
    this.answers?.relay(text)
  }

  changed(): void {
    this.answers?.changed()
  }

  askLeader(): void {
    this.answers?.askLeader()
  }

  /** The server's state is here: it says where the one before was wrong. */
  replaced(before: unknown, after: unknown): void {
    if (this.#diverged === undefined) return
    this.#listeners.tell('diverged', { seq: this.#diverged, reason: DIVERGED, paths: differences(before, after) })
    this.#diverged = undefined
  }

  verdict(n: number, seq: number, code: string, reason: string, action: unknown): void {
    if (code) {
      const error = twinError('rejected', reason)
      this.tickets.settle(n, Object.assign(error, { reason, verdict: code, seq }))
      this.#listeners.tell('rejected', { seq, code, reason, action })
    } else {
      this.tickets.settle(n, seq)
      this.#listeners.tell('confirmed', { seq, action })
    }
  }

  held(reason: string, action: unknown): void {
    this.#listeners.tell('held', { reason, action })
  }

  noted(name: string, code: string, reason: string, number: number): void {
    switch (name) {
      case 'diverged':
        this.#diverged = number
        return this.fail('diverged', DIVERGED)
      case 'reset':
        return this.#listeners.tell('reset', { held: number, reason: RESET })
      case 'storage':
        this.fail('storage', reason)
        this.#listeners.tell('storage', { storage: code as StorageKind, reason })
        return this.answers?.moved()
      case 'outranked':
        return this.answers?.outranked()
      default:
        this.fail(code, WIRING[code] ?? FAILURES[code] ?? reason)
        if (WIRING[code]) console.error(WIRING[code])
    }
  }

  status([link, pending, held, head, cursor, storage, outdated, schema]: [any, number, number, number, number, any, boolean, number], first: any): void {
    const oldest = first?.meta?.twin?.at ?? null
    this.#listeners.change({ link, pending, held, head, cursor, storage, outdated, schema, oldest })
    this.answers?.linked(link === 'online', schema)
  }

  /** The rows that could not be read are kept where they are, and counted. */
  restored(unreadable: unknown[] | null): void {
    this.unreadable = unreadable ?? []
    this.#listeners.change({ unreadable: this.unreadable.length })
    this.ready.resolve()
  }

  row(client: string, n: number, action: unknown, state: PendingAction['state'], reason: string): void {
    const row: PendingAction = { id: `${client}:${n}`, client, n, action, state }
    this.rows.push(reason ? { ...row, reason } : row)
  }

  withheld(stamped: object, next: Emit): void {
    this.#stores.withhold(stamped, next)
  }

  storeFor(stamped?: object): Emit | undefined {
    return this.#stores.find(stamped)
  }

  emit(action: { payload: unknown }, except: unknown): void {
    // After a dispatch its own store is the exception; without one the change came from elsewhere.
    if (except === undefined && action.payload !== this.#shown) this.#listeners.tellOnce('changed', undefined)
    this.#shown = action.payload
    this.#stores.emit(action, except)
  }

  flush(): void {
    this.#listeners.flush()
  }

  // — For the socket (`src/socket.js`).

  opened(turn: number): void {
    this.answers?.opened(turn)
  }

  said(text: string | null, frame: object | null): void {
    this.answers?.said(text, frame)
  }

  lost(): void {
    this.answers?.lost()
  }
}
