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

/**
 * What an app may put into an action's `meta.twin` when it dispatches: `false`: never twinned. `true`: always twinned. An object:
 * always twinned, with this {@link Routing}. Without it the twin's `sync` decides.
 */
export type TwinWish = boolean | { routing?: Routing }

/** What `meta.twin` holds in a twinned action, as `dispatch` returns it and as the log keeps it: its names and its time. */
export interface Stamp {
  /** Random: no other action has it. */
  id: string
  /** When it was dispatched, by that device's clock, in milliseconds since 1970. */
  at: number
  /** The page load (or start of a program) that dispatched it. */
  client: string
  /** That client's own count of its actions in this stream, from 1. */
  n: number
  /** The `user` whose outbox it lay in. */
  user?: string
  /** The number it had before `retry`. */
  retryOf?: number
}

/**
 * `'optimistic'`: the action is shown at once, and rolled back if the server rejects it. `'server'`: while online it enters the store
 * when the server has accepted it, and never if it is rejected; while offline, at once.
 */
export type Routing = 'optimistic' | 'server'

/**
 * Where the outbox lies. `'opening'`: not known yet, since the database is being opened; meanwhile a journal in localStorage keeps what is
 * dispatched. `'memory'`: nothing outlives the page.
 */
export type StorageKind = 'opening' | 'indexedDB' | 'localStorage' | 'memory'

/** What `createTwin` takes. Only `url`, `reducer`, and `stream` or `name`, must be given. */
export interface TwinOptions<S, A extends Action = Action> {
  /** The address of the server's socket, `ws://…/sync` or `wss://…/sync`. `null`: the twin never connects (server-side rendering, tests). */
  url: string | null
  /**
   * The log that is shared, `<model>/<name>`, for example `salesOrder/acme`. Leave it out where only `open` can tell, say at login: until
   * then a twinned dispatch throws `not-open`. `name` is needed then.
   */
  stream?: string
  /** The app's reducer: the same as the server's model. */
  reducer: Reducer<S, any>
  /** The model's own check. Return a string, and `dispatch` throws `invalid` with it; nothing is stored or shown. The server checks again, and decides. */
  validate?: (state: NoInfer<S>, action: A) => string | null | undefined | void
  /** Which actions are twinned: a type prefix, several of them, or a predicate. Default: those that change this twin's state. */
  sync?: string | readonly string[] | ((action: Action) => boolean)
  /**
   * For sliders and text fields: called with the last action, as long as it was never sent, and the new one, both stamped. Return one
   * action that does what both do, and it takes their place, with the newer one's stamp; return nothing, and both stay. `durable` and
   * `confirmed` of both then tell the fate of the one. Other slices and middleware see each action as it was dispatched. A merged action
   * that is not plain, or that the model does not take (it throws, or `validate` refuses it), is not used. Only the tab that leads merges.
   */
  coalesce?: (a: A, b: A) => Action | null | undefined | void
  /** When an action is shown: see {@link Routing}. Default `'optimistic'`. For one action: `meta.twin.routing`. */
  routing?: Routing
  /** Whose outbox this is. Data is stored per name, user and stream: another login on the device neither sees nor sends it. */
  user?: string
  /** Tells the server who the user is. A function is called at each connect; where it fails, it is called again at the next try. */
  token?: string | (() => string | Promise<string>)
  /** Where the outbox lies. `'auto'` (default) and `'indexedDB'`: IndexedDB, else localStorage, else memory. `'memory'`: nothing is stored. */
  storage?: 'auto' | 'indexedDB' | 'memory'
  /**
   * What may be lost of that for which `durable` has resolved. `'relaxed'` (default): nothing when the browser is killed, but a power cut may
   * take the last seconds. `'strict'`: nothing in a power cut either; each write waits for the disk.
   */
  durability?: 'relaxed' | 'strict'
  /** Tells the stored data of two twins of one stream apart. Default: the stream. */
  name?: string
  /** The version of the app's actions and states, a whole number from 1, which goes with everything that is stored and sent. Default 1. */
  schema?: number
  /**
   * Brings an action that an older version of the app stored up to date: called with the action and its schema when it is read, before it
   * is shown and sent. Its stamp stays. If it throws or returns no plain action, the action is held with the reason `schema`: `edit` or
   * `drop` it. Without `upcast` the server's model may do it. What a newer version stored is held while this one runs, and sent by that one.
   */
  upcast?: (action: any, schema: number) => Action
  /**
   * Brings a state that an older version of the app stored up to date, to be shown until the server has sent its own. If it throws, or
   * returns what the reducer cannot go on from, the twin begins with the reducer's initial state. Nothing else depends on it.
   */
  migrate?: (state: any, schema: number) => S
  /** The state to begin with where nothing is stored, for example from server-side rendering. */
  snapshot?: { seq: number; state: S }
  /**
   * Dispatches an action whenever the slice changed otherwise than by a dispatch in this page (others' events, a rejection that was rolled
   * back, the stored state coming back), so that sagas, listeners and effects hear of it: once a change, without a payload, with the
   * twin's name in `meta.twin.name`. A string is its type; `true` means {@link REMOTE}. Default: none.
   */
  announce?: boolean | string
  /** Limits of this client; each has a default. */
  limits?: Partial<TwinLimits>
}

/** Limits of a client, all whole numbers from 1. */
export interface TwinLimits {
  /** Actions in the outbox; past that `dispatch` throws `outbox-full`. Default 100,000. */
  outboxActions: number
  /** Bytes in the outbox, as JSON text; past that `dispatch` throws `outbox-full`. Default 64 MiB. */
  outboxBytes: number
  /** Bytes of one action as JSON text; past that `dispatch` throws `too-large`. Default 64 KiB, which is what the server takes. */
  actionBytes: number
  /** Levels of nesting in one action; past that `dispatch` throws `too-deep`. Default 64, which is what the server takes. */
  actionDepth: number
  /** Actions dispatched in one task that get a transaction each; those after them share one, and may be lost if the tab dies in that task. Default 64. */
  burst: number
  /** Actions kept in memory before `ready`, while it is not known yet whether they are twinned. Default 1,000. */
  undecided: number
}

/** How a twin is doing. One object until something changes, so that it can be compared by identity. */
export interface TwinStatus {
  /** `'offline'`: not connected, and the next try waits, or `disconnect()` was called. `'online'`: the server has answered. */
  link: 'offline' | 'connecting' | 'online'
  /** How many actions have no verdict yet. Held ones are not among them. */
  pending: number
  /** How many actions are kept, but neither shown nor sent: see `pending()`. */
  held: number
  /** The last place of the log that is known here. */
  head: number
  /** The last place of the log that is applied here. */
  cursor: number
  /** Where the outbox lies now. */
  storage: StorageKind
  /** `'leader'`: this tab has the socket. `'follower'`: another tab has it. `'alone'`: tabs cannot share one here. */
  role: 'alone' | 'leader' | 'follower'
  /** True: the server's model has a newer schema than this app. Reload for the new version; what is dispatched until then is kept and sent. */
  outdated: boolean
  /** The schema of the server's model; 0: not known yet. */
  schema: number
  /** When the oldest pending action was dispatched, by this device's clock, in milliseconds since 1970; null: there is none. */
  oldest: number | null
  /** How many stored rows could not be read. They are kept where they are, and `export()` has them. */
  unreadable: number
  /** When the link's state began, in milliseconds since 1970. */
  since: number
  /** What went wrong last, if anything did: a code, and a message for the developer. */
  lastError: { code: string; message: string } | null
}

/**
 * Why an action is held. `'reset'`: the server was reset, or restored from a backup, and may never have seen it. `'too-large'`,
 * `'too-deep'`, `'not-plain'`: the server refused it. `'too-old'`: so it did, since it has forgotten clients of that day
 * and may have decided the action already. `'other-subject'`: so it did, since another user's token sent for that page load before;
 * `retry` dispatches it anew, as this user's. `'skipped'`: the server has settled a later number without it. `'schema'`: another
 * version of the app dispatched it, and this one cannot bring it up to date.
 */
export type HeldReason = 'reset' | 'too-large' | 'too-deep' | 'not-plain' | 'too-old' | 'other-subject' | 'skipped' | 'schema'

/** An action of the outbox, as `pending()` lists it. */
export interface PendingAction<A = any> {
  /** `<client>:<n>`: what `retry`, `edit` and `drop` take. */
  id: string
  /** The page load that dispatched it. */
  client: string
  /** That client's number for it. */
  n: number
  /** The action, with its {@link Stamp} in `meta.twin`. */
  action: A
  /** `'queued'`: not sent yet. `'sent'`: its verdict is awaited. `'held'`: kept, but neither shown nor sent. */
  state: 'queued' | 'sent' | 'held'
  /** Why it is held. */
  reason?: HeldReason
}

/** What `on` tells, by name. Listeners are called when the stores are up to date. */
export interface Notices<A = any> {
  /** The new `status`. */
  status: TwinStatus
  /** An action of this page, or of one that is gone, was accepted: its place in the log. */
  confirmed: { seq: number; action: A }
  /** Such an action was rejected, and is rolled back. `reason` is the model's, for people; `code` is `invalid`, `threw`, `limit` or `dropped`. */
  rejected: { seq: number; code: string; reason: string; action: A }
  /** An action is kept, but neither shown nor sent any more: `retry`, `edit` or `drop` it. */
  held: { reason: HeldReason; action: A }
  /**
   * The state here was not the server's, which has taken its place; pending actions stay. `paths`: JSON pointers to what was different, at
   * most 20. Usually the reducer is not pure, or not the server's.
   */
  diverged: { seq: number; reason: string; paths: string[] }
  /** The outbox has another home, or its database was opened anew: warn the user where it is `'memory'`. */
  storage: { storage: StorageKind; reason: string }
  /** The server was reset, or restored from a backup. `held`: so many actions were pending, and are held now. */
  reset: { reason: string; held: number }
}

/** A store's durable twin: what `createTwin` gives. */
export interface Twin<S = any, A extends Action = Action> {
  /** The middleware for the store, as the last one: `middleware: all => all().concat(twin.middleware)`. */
  readonly middleware: Middleware
  /** The reducer for the store: of its whole state, or of a slice. */
  readonly reducer: Reducer<S, any>
  /** The name that was given, else the stream. */
  readonly name: string
  /** The stream that is open; undefined: none is. */
  readonly stream: string | undefined
  /** Whose outbox is open; undefined where no stream is. */
  readonly user: string | undefined
  /** How it is doing: the link, what is pending, where it is stored. */
  readonly status: TwinStatus
  /**
   * Resolves when the stored state is back; no network is asked. Await it before you make the store, and nothing flashes. Rejects with
   * `closed` where the twin is closed, or goes elsewhere, before that.
   */
  readonly ready: Promise<void>
  /** Calls `fn` after each change of `status`. Returns a function that ends it. */
  subscribe(fn: () => void): () => void
  /** Calls `fn` with each notice of that name. Returns a function that ends it. */
  on<K extends keyof Notices>(name: K, fn: (notice: Notices<A>[K]) => void): () => void
  /** The actions without a verdict, including held ones, in the order of the outbox. */
  pending(): PendingAction<A>[]
  /**
   * Resolves when the action, as dispatched or as `dispatch` returned it, is on this device's disk. Rejects with `not-twinned`,
   * `not-durable` (there is only memory), `dropped` or `closed`.
   */
  durable(action: object): Promise<void>
  /**
   * Resolves with the action's place in the log (`seq`) when the server has accepted it. Rejects with `rejected` and the reason, or with
   * `not-twinned`, `dropped` or `closed`. It waits as long as the server is away.
   */
  confirmed(action: object): Promise<number>
  /** Dispatches a held action anew, under a new number. Returns what `durable` and `confirmed` take. Throws `not-pending`, `no-store`, `closed`. */
  retry(id: string): A
  /**
   * Gives an action of `pending()` another content: in its place and with its stamp where it was never sent; a held one is dispatched anew,
   * under a new number. Returns what `durable` and `confirmed` take. Throws `not-pending`, `already-sent`, `not-plain`, `no-store`, `closed`.
   */
  edit(id: string, action: A): A
  /** Removes an action that was never sent, or is held. Throws `not-pending`, `already-sent`, `closed`. */
  drop(id: string): void
  /**
   * All that this device keeps and the server may not have, for a file or a mail. NDJSON: a line for each row of `pending()`, then
   * one `{ state: 'unreadable', row }` for each stored row that could not be read.
   */
  export(): string
  /** Resolves when nothing is unsent or in flight. It waits as long as the server is away. */
  flush(): Promise<void>
  /** Ends what `disconnect` began: connects, and tries again whenever the link is lost. */
  connect(): void
  /** Goes offline, and stays so until `connect`. */
  disconnect(): void
  /**
   * Goes to another stream, or to another user's outbox; what is left out stays as it is. One rebase brings the slice to what is stored
   * there. What is pending here stays stored, and is sent when it is open again. `null` leaves the stream, at logout, and the slice goes to
   * the reducer's initial state. Also opens after `close` and `forget`. Resolves like `ready`; throws `bad-option`.
   */
  open(to: { user?: string; stream?: string } | null): Promise<void>
  /** Swaps the model's reducer, for hot reload. */
  replaceReducer(reducer: Reducer<S, any>): void
  /** Leaves the stream. What is stored stays, and actions pass on to the store as if there were no twin. */
  close(): void
  /** Closes the twin, in all tabs, and erases what is stored. Resolves when it is gone. */
  forget(): Promise<void>
  /** For adapters: takes an action on its way to the reducers; `next` is what comes after. @internal */
  take(action: unknown, next: (action: any) => unknown): unknown
  /** For adapters: a store that shows this twin. @internal */
  attach(emit: (action: any) => unknown, dispatch?: (action: any) => unknown): () => void
}

/**
 * The codes of {@link TwinError}, by where they come from.
 *
 * - `init`: `no-wasm`.
 * - `createTwin`, `open`: `no-init`, `bad-option`, `impure-reducer`.
 * - making the store: `preloaded-state`, `wiring`.
 * - `dispatch`: `invalid` (the model's `validate` said so), `not-plain`, `too-deep`, `too-large`, `outbox-full`, `reducing`, `not-open`.
 * - `durable`, `confirmed`: `rejected` (the server said so), `not-twinned`, `not-durable`, `dropped`, `closed`.
 * - `retry`, `edit`, `drop`: `not-pending`, `already-sent`, `no-store`, `closed`.
 */
export type TwinErrorCode =
  | 'no-wasm' | 'no-init' | 'bad-option' | 'impure-reducer' | 'preloaded-state' | 'wiring'
  | 'invalid' | 'not-plain' | 'too-deep' | 'too-large' | 'outbox-full' | 'reducing' | 'not-open'
  | 'rejected' | 'not-twinned' | 'not-durable' | 'dropped' | 'closed'
  | 'not-pending' | 'already-sent' | 'no-store'

/** Every failure of the package: `code` is stable, `message` says the rule, what was received and what to do. */
export interface TwinError extends Error {
  readonly name: 'TwinError'
  readonly code: TwinErrorCode
  /** With `rejected`: the reason, as in `message`. */
  readonly reason?: string
  /** With `rejected`: the code of the verdict, `invalid`, `threw`, `limit` or `dropped`. */
  readonly verdict?: string
  /** With `rejected`: the place of the rejection in the log. */
  readonly seq?: number
}

/** Whether a caught value is a {@link TwinError}, with that code if one is given. */
export function isTwinError(error: unknown, code?: TwinErrorCode): error is TwinError {
  return error instanceof Error && error.name === 'TwinError' && (code === undefined || (error as TwinError).code === code)
}

/** The type of the internal action that brings a store to a new state; it goes below the middleware. */
export const REBASE = '@@twin/rebase'

/** The type of the action that `announce: true` dispatches. */
export const REMOTE = '@@twin/remote'

/** Makes a {@link TwinError}. */
export function twinError(code: TwinErrorCode, message: string): TwinError {
  return make(code, message) as TwinError
}
