/**
 * What the Rust half tells a twin (`src/host.rs`): status, verdicts and notices, kept until the stores are up to
 * date and then told to the app; and the stores themselves, held weakly.
 */
import { differences } from './differences.js'
import { Tickets, deferred } from './tickets.js'
import { type Notices, type PendingAction, type StorageKind, type TwinStatus, twinError } from './types.js'

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

type Listener = (notice: any) => void
type Emit = (action: unknown) => unknown

/** What a twin does about what the Rust half tells. */
export interface Answers {
  /** The socket is open: hello needs a token. */
  opened(turn: number): void
  /** Own actions up to this number are stored. */
  stored(n: number): void
  /** A frame for the tabs that follow. */
  relay(text: string): void
  /** What is stored is not what it was. */
  changed(): void
  /** The server's state is needed, and another tab leads. */
  askLeader(): void
  /** The home of the outbox is another one. */
  moved(): void
  /** Another tab leads. */
  outranked(): void
}

export class Host {
  readonly tickets = new Tickets()
  readonly ready = deferred<void>()
  answers: Answers | undefined
  current: TwinStatus = {
    link: 'offline',
    pending: 0,
    held: 0,
    head: 0,
    cursor: 0,
    storage: 'opening',
    role: 'alone' as TwinStatus['role'],
    outdated: false,
    schema: 0,
    oldest: null,
    unreadable: 0,
    since: Date.now(),
    lastError: null,
  }
  /** Stored rows that are no entries. */
  unreadable: unknown[] = []
  /** The list that `Core.pending` fills. */
  rows: PendingAction[] = []
  readonly #listeners = new Map<string, Set<Listener>>()
  #queue: [name: string, notice: unknown][] = []
  #flushing = false
  #stores: { emit: WeakRef<Emit>; dispatch: WeakRef<Emit> | undefined }[] = []
  /** The state that the stores were brought to last. */
  #shown: unknown
  /** The place where the confirmed state was found to be another than the server's. */
  #diverged: number | undefined
  /** Where actions were on their way to that `'server'` routing holds back. */
  readonly #withheldFrom = new WeakMap<object, WeakRef<Emit>>()

  // — For the twin.

  on(name: string, listener: Listener): () => void {
    // Wrapped, so that the same function may listen twice.
    const own: Listener = notice => listener(notice)
    const all = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, all.add(own))
    return () => void all.delete(own)
  }

  /** A store shows this twin: `emit` is its way below the middleware, `dispatch` its own. */
  attach(emit: Emit, dispatch?: Emit): () => void {
    const store = { emit: new WeakRef(emit), dispatch: dispatch && new WeakRef(dispatch) }
    this.#stores.push(store)
    return () => void (this.#stores = this.#stores.filter(other => other !== store))
  }

  /** Dispatches an action to every store. */
  dispatch(action: unknown): void {
    for (const store of this.#stores) attempt('a store threw while it was told of a change', () => store.dispatch?.deref()?.(action))
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
    this.#notice('diverged', { seq: this.#diverged, reason: DIVERGED, paths: differences(before, after) })
    this.#diverged = undefined
  }

  verdict(n: number, seq: number, code: string, reason: string, action: unknown): void {
    if (code) {
      const error = twinError('rejected', reason)
      this.tickets.settle(n, Object.assign(error, { reason, verdict: code, seq }))
      this.#notice('rejected', { seq, code, reason, action })
    } else {
      this.tickets.settle(n, seq)
      this.#notice('confirmed', { seq, action })
    }
  }

  held(reason: string, action: unknown): void {
    this.#notice('held', { reason, action })
  }

  noted(name: string, code: string, reason: string, number: number): void {
    switch (name) {
      case 'diverged':
        this.#diverged = number
        return this.fail('diverged', DIVERGED)
      case 'reset':
        return this.#notice('reset', { held: number, reason: RESET })
      case 'storage':
        this.fail('storage', reason)
        this.#notice('storage', { storage: code as StorageKind, reason })
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
    const since = link === this.current.link ? this.current.since : Date.now()
    this.#change({ ...this.current, link, pending, held, head, cursor, storage, outdated, schema, oldest, since })
  }

  /** The rows that could not be read are kept where they are, and counted. */
  restored(unreadable: unknown[] | null): void {
    this.unreadable = unreadable ?? []
    this.#change({ ...this.current, unreadable: this.unreadable.length })
    this.ready.resolve()
  }

  opened(turn: number): void {
    this.answers?.opened(turn)
  }

  row(client: string, n: number, action: unknown, state: PendingAction['state'], reason: string): void {
    const row: PendingAction = { id: `${client}:${n}`, client, n, action, state }
    this.rows.push(reason ? { ...row, reason } : row)
  }

  withheld(stamped: object, next: Emit): void {
    this.#withheldFrom.set(stamped, new WeakRef(next))
  }

  storeFor(stamped?: object): Emit | undefined {
    return (stamped && this.#withheldFrom.get(stamped)?.deref()) ?? this.#live()[0]
  }

  emit(action: { payload: unknown }, except: unknown): void {
    // After a dispatch its own store is the exception; without one the change came from elsewhere.
    if (except === undefined && action.payload !== this.#shown) this.#tellOnce('changed', undefined)
    this.#shown = action.payload
    for (const emit of this.#live())
      if (emit !== except) attempt('a reducer or subscriber threw while a store was brought up to date', () => emit(action))
  }

  /** Calls the listeners, in order. One that throws does not keep the others from hearing it. */
  flush(): void {
    if (this.#flushing) return
    this.#flushing = true
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      const [name, notice] = next
      for (const listener of [...(this.#listeners.get(name) ?? [])]) attempt(`a listener of the twin's notice "${name}" threw`, () => listener(notice))
    }
    this.#flushing = false
  }

  role(role: TwinStatus['role']): void {
    this.#change({ ...this.current, role })
  }

  fail(code: string, message: string): void {
    this.#change({ ...this.current, lastError: { code, message } })
  }

  #live(): Emit[] {
    this.#stores = this.#stores.filter(store => store.emit.deref())
    return this.#stores.map(store => store.emit.deref()).filter(emit => emit !== undefined)
  }

  #change(status: TwinStatus): void {
    const before = this.current
    if ((Object.keys(status) as (keyof TwinStatus)[]).every(key => status[key] === before[key])) return
    this.current = status
    this.#tellOnce('status', status)
  }

  /** Only the newest is worth telling. */
  #tellOnce(name: string, notice: unknown): void {
    this.#queue = this.#queue.filter(([queued]) => queued !== name)
    this.#queue.push([name, notice])
  }

  #notice<K extends keyof Notices>(name: K, notice: Notices[K]): void {
    this.#queue.push([name, notice])
  }
}

/** The app's own code: what it throws is its own matter, and keeps nobody else from hearing. */
function attempt(complaint: string, work: () => unknown): void {
  try {
    work()
  } catch (error) {
    console.error(complaint, error)
  }
}
