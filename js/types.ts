/** The types of the public API. Structural: neither Redux nor NgRx is imported. */
import { twinError as make } from '#web'

/** An action as Redux and NgRx know it. */
export interface Action {
  type: string
}

/** A reducer as Redux and NgRx know it. */
export type Reducer<S, A> = (state: S | undefined, action: A) => S

/** A Redux middleware. */
export type Middleware = (api: {
  dispatch: any
  getState(): any
}) => (next: (action: unknown) => unknown) => (action: unknown) => unknown

/** What `meta.twin` may say when the app dispatches: `false` = never twinned, `true` or an object = always. */
export type TwinWish = boolean | { routing?: Routing }

/** What `meta.twin` says of a twinned action: the names it has for ever, and the time of its dispatch. */
export interface Stamp {
  /** Random, unlike any other action's. */
  id: string
  /** The client's time at dispatch, milliseconds since 1970. */
  at: number
  /** The page load (or program start) that dispatched it. */
  client: string
  /** That client's own count in this stream, from 1. */
  n: number
  /** Whose outbox it lies in. */
  user?: string
  /** The number it had before `retry`. */
  retryOf?: number
}

/** `optimistic`: shown at once. `server`: online, it enters the store with its verdict; offline, at once. */
export type Routing = 'optimistic' | 'server'

/** Where the outbox lies. */
export type StorageKind = 'opening' | 'indexedDB' | 'localStorage' | 'memory'

export interface TwinOptions<S, A extends Action = Action> {
  /** The server's socket, `ws://…/sync` or `wss://…/sync`; null: never connects. */
  url: string | null
  /** `<model>/<name>`. Left out: none is open until `open` says which, and a twinned dispatch throws `not-open`; `name` is needed then. */
  stream?: string
  /** The same reducer as the server's model. */
  reducer: Reducer<S, any>
  /** The model's own check; a string is the reason why `dispatch` throws `TwinError('invalid')`. The server decides all the same. */
  validate?: (state: NoInfer<S>, action: A) => string | null | undefined | void
  /** Which actions are twinned: a type prefix, several, or a predicate. Default: those that change this twin's state. */
  sync?: string | readonly string[] | ((action: Action) => boolean)
  /**
   * Merges a new action into the one before, as long as that one was never sent: gives one action that does what both do, or nothing,
   * where both stay. For sliders and text fields. Both are as they are stored, stamped; the merged one gets the newer one's stamp. What
   * both were told by `durable` and `confirmed` is the merged one's fate. Other slices and middleware see each action as it was dispatched.
   * One that the model does not take (it throws, or `validate` refuses it) or that is not plain is not merged. Only the tab that leads merges.
   */
  coalesce?: (a: A, b: A) => Action | null | undefined | void
  /** Default `'optimistic'`. Also per action: `meta.twin.routing`. */
  routing?: Routing
  /** Whose outbox this is. */
  user?: string
  /** Asked at each connect. */
  token?: string | (() => string | Promise<string>)
  /** `'auto'` (default): IndexedDB, else localStorage, else memory. */
  storage?: 'auto' | 'indexedDB' | 'memory'
  /** `'strict'`: a power cut loses nothing that `durable` had resolved. Default `'relaxed'`: a killed browser loses nothing. */
  durability?: 'relaxed' | 'strict'
  /** Tells the stored data of two twins of one stream apart. Default: the stream's own name. */
  name?: string
  /** The number of the app's actions and states, stamped on what is sent. Default 1. */
  schema?: number
  /**
   * Brings an action that an older version of the app stored up to date, when it is read: before it is shown and sent. Its stamp stays.
   * Where it throws or gives no plain action, the action is held with the reason `schema`: `edit` or `drop` it. Without `upcast` the
   * server's model may do it. What a newer version stored is held while this one runs, and sent by that one.
   */
  upcast?: (action: any, schema: number) => Action
  /**
   * Brings a stored state of an older version of the app up to date, to be shown until the server has given its own. Where it throws, or
   * with a reducer that cannot go on from what it gives, the twin begins with the reducer's initial state. Nothing else depends on it.
   */
  migrate?: (state: any, schema: number) => S
  /** The state to begin with where nothing is stored, for example from server-side rendering. */
  snapshot?: { seq: number; state: S }
  /**
   * Tells the app's sagas, listeners and effects when the slice changed otherwise than by a dispatch in this page (others' events,
   * a rejection that rolled back, the stored state coming back): dispatches, once a change, an action without a payload, of this
   * type, with the twin's name in `meta.twin.name`. `true`: {@link REMOTE}.
   */
  announce?: boolean | string
  /** Limits of this client; each has a default. */
  limits?: Partial<TwinLimits>
}

export interface TwinLimits {
  /** Actions in the outbox; past it `dispatch` throws `outbox-full`. Default 100,000. */
  outboxActions: number
  /** Bytes in the outbox, as JSON text. Default 64 MiB. */
  outboxBytes: number
  /** Bytes of one action as JSON text. Default 64 KiB. */
  actionBytes: number
  /** Nesting of one action. Default 64. */
  actionDepth: number
  /** Actions dispatched in one task that get a transaction each; more are gathered into one. Default 64. */
  burst: number
  /** Actions that are kept in memory before `ready`, because it is not known yet whether they are twinned. Default 1,000. */
  undecided: number
}

export interface TwinStatus {
  link: 'offline' | 'connecting' | 'online'
  /** Actions without a verdict. */
  pending: number
  /** Actions that are kept but neither shown nor sent. */
  held: number
  /** The log's last place, as far as is known here. */
  head: number
  /** The last place that is applied here. */
  cursor: number
  storage: StorageKind
  /** `leader`: this tab has the socket. `follower`: another one has. `alone`: tabs cannot share one here. */
  role: 'alone' | 'leader' | 'follower'
  /** True: the server's schema is newer than this app's. */
  outdated: boolean
  /** The schema of the server's model; 0: not heard yet. */
  schema: number
  /** When the oldest pending action was dispatched, by this device's clock, milliseconds since 1970; null: there is none. */
  oldest: number | null
  /** Stored rows that could not be read: kept where they are, and given by `export()`. */
  unreadable: number
  /** When the link's state began, milliseconds since 1970. */
  since: number
  lastError: { code: string; message: string } | null
}

/** A pending action, as `pending()` lists it. */
export interface PendingAction<A = any> {
  /** `<client>:<n>`: what `retry`, `edit` and `drop` take. */
  id: string
  client: string
  n: number
  action: A
  /** `queued`: not sent yet. `sent`: its verdict is awaited. `held`: kept, neither shown nor sent. */
  state: 'queued' | 'sent' | 'held'
  /** Why it is held. */
  reason?: string
}

/** What `on` tells. */
export interface Notices<A = any> {
  status: TwinStatus
  confirmed: { seq: number; action: A }
  rejected: { seq: number; code: string; reason: string; action: A }
  held: { reason: string; action: A }
  /** `paths`: JSON pointers to what was not as in the server, at most 20. Told when the server's state is here. */
  diverged: { seq: number; reason: string; paths: string[] }
  storage: { storage: StorageKind; reason: string }
  reset: { reason: string; held: number }
}

export interface Twin<S = any, A extends Action = Action> {
  /** For `middleware: all => all().concat(twin.middleware)`: last. */
  readonly middleware: Middleware
  /** The reducer to put into the store: of the whole state, or of a slice. */
  readonly reducer: Reducer<S, any>
  readonly name: string
  /** The stream that is open, and whose outbox it is; undefined: none is. */
  readonly stream: string | undefined
  readonly user: string | undefined
  readonly status: TwinStatus
  /** Resolves when the stored state is back. Rejects with `closed` where the twin is closed, or goes elsewhere, before that. */
  readonly ready: Promise<void>
  /** Calls `fn` after each change of `status`; gives the way to stop. */
  subscribe(fn: () => void): () => void
  /** Calls `fn` with each notice of that name; gives the way to stop. */
  on<K extends keyof Notices>(name: K, fn: (notice: Notices<A>[K]) => void): () => void
  /** The actions without a verdict, held ones too, in the order of the outbox. */
  pending(): PendingAction<A>[]
  /** Resolves when the action is on disk. Rejects with `not-twinned`, `not-durable` (memory), `dropped`, `closed`. */
  durable(action: object): Promise<void>
  /** Resolves with the action's `seq`; rejects with `rejected` and the reason, `not-twinned`, `dropped`, `closed`. */
  confirmed(action: object): Promise<number>
  /** Dispatches a held action anew, under a new number; gives what `durable` and `confirmed` take. */
  retry(id: string): A
  /**
   * Gives a pending action another content: in place, with its old stamp, where it was never sent; a held one is dispatched anew,
   * under a new number. Gives what `durable` and `confirmed` take.
   */
  edit(id: string, action: A): A
  /** Removes an action that was never sent, or is held. */
  drop(id: string): void
  /**
   * All that this device keeps and the server may not have, for a file or a mail: NDJSON, a line for each row of `pending()`, then
   * one `{ state: 'unreadable', row }` for each stored row that could not be read.
   */
  export(): string
  /** Resolves when nothing is unsent or in flight. */
  flush(): Promise<void>
  /** Ends `disconnect`. */
  connect(): void
  /** Offline until `connect`. */
  disconnect(): void
  /**
   * Goes to another stream, or to another user's outbox of the same: what is left out stays as it is. The slice goes to what is stored
   * there by one rebase; what is pending here stays stored, and is sent when it is open again. `null`: to none, at logout; the slice
   * goes to the reducer's initial state. Also after `close` and `forget`. Resolves like `ready`; throws `bad-option`.
   */
  open(to: { user?: string; stream?: string } | null): Promise<void>
  /** Swaps the model's reducer, for hot reload. */
  replaceReducer(reducer: Reducer<S, any>): void
  /** Leaves the stream; the stored data stays. Actions pass on to the store as if there were no twin. */
  close(): void
  /** Closes, and erases the stored data. Resolves when it is gone. */
  forget(): Promise<void>
  /** For adapters: takes an action on its way to the reducers, `next` being what comes after. @internal */
  take(action: unknown, next: (action: any) => unknown): unknown
  /** For adapters: a store that shows this twin. @internal */
  attach(emit: (action: any) => unknown, dispatch?: (action: any) => unknown): () => void
}

/** Every failure of the package: `code` is stable, `message` says the rule, what was received and what to do. */
export interface TwinError extends Error {
  readonly name: 'TwinError'
  readonly code: string
}

/** Whether a caught value is a {@link TwinError}, with that code if one is given. */
export function isTwinError(error: unknown, code?: string): error is TwinError {
  return error instanceof Error && error.name === 'TwinError' && (code === undefined || (error as TwinError).code === code)
}

/** The type of the internal action that carries a new state below the middleware. */
export const REBASE = '@@twin/rebase'

/** The type of the action that `announce: true` dispatches. */
export const REMOTE = '@@twin/remote'

/** Makes a {@link TwinError}. */
export function twinError(code: string, message: string): TwinError {
  return make(code, message) as TwinError
}
