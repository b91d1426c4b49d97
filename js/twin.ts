/** The twin as the app holds it: the public API, over the session of the stream that is open. */
import { Listeners } from './listeners.js'
import { demandLoaded } from './load.js'
import { type Completed, type Place, type Settings, complete, keyOf, optionsAt, optionsNowhere, placeOf } from './options.js'
import { Session } from './session.js'
import { Stores } from './stores.js'
import type { TicketsOf } from './tickets.js'
import { type Action, type Middleware, type Notices, type PendingAction, type Reducer, type Twin, type TwinErrorCode, type TwinOptions, twinError } from './types.js'

const SENT = 'only an action that was never sent, or is held, can be dropped or edited: the server may have taken this one'

/** The twins of this page, as they were made, so that a second `createTwin` for the same gives the first one back. */
const twins = new Map<string, TwinObject>()

/**
 * A durable twin of a stream; synchronous, after `await init()`. Put its `reducer` and its `middleware` into a store.
 *
 * For a name, user and stream that are known already it gives the same twin, with the new reducer (StrictMode, hot reload).
 * Throws `bad-option`, `impure-reducer`, and `no-init` where the WASM is not loaded.
 */
export function createTwin<S, A extends { type: string } = { type: string }>(options: TwinOptions<S, A>): Twin<S, A> {
  demandLoaded()
  const settings = complete(options)
  const place = options.stream === undefined ? undefined : placeOf(options)
  const key = keyOf(settings.name, place)
  let twin = twins.get(key)
  // Another tab may have ended it, by `forget`.
  if (twin && !twin.isClosed) twin.replaceReducer(settings.reducer)
  else twin = new TwinObject(settings, key, place)
  return twin as unknown as Twin<S, A>
}

class TwinObject implements Twin<any, any> {
  readonly name: string
  readonly middleware: Middleware
  readonly reducer: Reducer<any, any>
  readonly #settings: Settings
  readonly #key: string
  readonly #listeners = new Listeners()
  readonly #stores = new Stores()
  readonly #tickets: TicketsOf = new WeakMap()
  #session: Session
  /** The app wants to be connected. */
  #online = true

  constructor(settings: Settings, key: string, place: Place | undefined) {
    this.#settings = settings
    this.#key = key
    this.name = settings.name || place!.stream
    this.reducer = (state, action) => this.#session.core.reduce(state, action)
    // `next` is held by this closure alone: a store that nobody holds any more can be collected.
    this.middleware = api => next => {
      this.attach(next, api.dispatch)
      return action => {
        // Throws Redux's own error while a reducer runs, before anything is stored.
        if (typeof action === 'object' && action !== null) api.getState()
        return this.#session.core.take(action, next)
      }
    }
    const { announce } = settings
    // Its name in `meta.twin` says that it is for no twin.
    if (announce) this.on('changed' as never, () => this.#stores.dispatch({ type: announce, meta: { twin: { name: this.name } } }))
    this.#session = this.#begin(place)
    this.#session.connect()
  }

  get isClosed() {
    return this.#session.isClosed
  }

  get status() {
    return this.#listeners.status
  }

  get ready() {
    return this.#session.ready
  }

  get stream() {
    return this.#session.options.stream || undefined
  }

  get user() {
    return this.stream && this.#session.options.user
  }

  subscribe(fn: () => void) {
    return this.on('status', fn)
  }

  on<K extends keyof Notices>(name: K, fn: (notice: Notices<any>[K]) => void) {
    return this.#listeners.on(name, fn)
  }

  pending(): PendingAction[] {
    const rows: PendingAction[] = (this.#session.host.rows = [])
    this.#session.core.pending()
    return rows
  }

  async durable(action: object) {
    return this.#session.host.tickets.find(action).durable.promise
  }

  async confirmed(action: object) {
    return this.#session.host.tickets.find(action).confirmed.promise
  }

  retry(id: string) {
    const row = this.#row(id, 'held')
    return this.#renew(row, row.action)
  }

  edit(id: string, action: Action) {
    const row = this.#row(id)
    if (typeof action?.type !== 'string') throw twinError('not-plain', 'an action must be an object with a string `type`')
    if (row.state === 'held') return this.#renew(row, action)
    const edited = { ...action, meta: { ...(action as any).meta, twin: row.action.meta.twin } }
    const { core, host, options } = this.#session
    const code = core.edit(row.client, row.n, edited)
    if (code) throw twinError(code as TwinErrorCode, SENT)
    if (row.client === options.client) host.tickets.alias(row.n, edited)
    return edited
  }

  drop(id: string) {
    const { client, n } = this.#row(id)
    const { core, host, options } = this.#session
    const code = core.drop(client, n)
    if (code) throw twinError(code as TwinErrorCode, SENT)
    if (client === options.client) host.tickets.settle(n, twinError('dropped', 'the app dropped the action'))
  }

  export() {
    const rows = this.pending().map(row => JSON.stringify(row))
    return [...rows, ...this.#session.host.unreadable.map(unreadable), ''].join('\n')
  }

  flush() {
    return new Promise<void>(resolve => {
      const check = () => {
        if (this.status.pending > 0) return
        off()
        resolve()
      }
      const off = this.subscribe(check)
      check()
    })
  }

  connect() {
    this.#online = true
    this.#session.connect()
  }

  disconnect() {
    this.#online = false
    this.#session.core.disconnect()
  }

  open(to: { user?: string; stream?: string } | null) {
    const place = to ? placeOf(to, this.#session.options) : undefined
    const isHere = place?.stream === this.stream && place?.user === this.user
    if (isHere && !this.isClosed) return this.ready
    const before = this.#session
    before.close()
    // A listener that heard of the end has opened another place: it was asked for last.
    if (this.#session !== before) return this.ready
    this.#listeners.startOver()
    const session = this.#begin(place)
    // The listeners and stores that are told from here on meet this one.
    this.#session = session
    for (const emit of this.#stores.live) session.core.attach(emit)
    session.core.takeOver()
    if (this.#online) session.connect()
    return session.ready
  }

  replaceReducer(reducer: Reducer<any, any>) {
    this.#settings.reducer = reducer
    this.#session.core.replaceReducer(reducer)
  }

  close() {
    twins.delete(this.#key)
    this.#session.close()
  }

  forget() {
    twins.delete(this.#key)
    return this.#session.erase()
  }

  take(action: unknown, next: (action: any) => unknown) {
    return this.#session.core.take(action, next)
  }

  attach(emit: (action: any) => unknown, dispatch?: (action: any) => unknown) {
    const detach = this.#stores.attach(emit, dispatch)
    this.#session.core.attach(emit)
    return detach
  }

  /** Whether it is on a stream that cannot stand on one socket twice. */
  #isOn({ url, user, stream }: Completed) {
    const { options } = this.#session
    return !this.isClosed && options.url === url && options.user === user && options.stream === stream
  }

  /** The session of a stream, or of none; not connected yet. */
  #begin(place: Place | undefined): Session {
    const options = place ? optionsAt(this.#settings, place) : optionsNowhere(this.#settings)
    if ([...twins.values()].some(other => other.#isOn(options))) options.line = options.key
    const session = new Session(options, this.#listeners, this.#stores, this.#tickets)
    // The state to begin with is that of the first stream.
    if (place) this.#settings.initial = undefined
    twins.set(this.#key, this)
    return session
  }

  #row(id: string, state?: PendingAction['state']): PendingAction {
    if (this.isClosed) throw twinError('closed', 'the twin is closed: call open(), or make it anew with createTwin')
    const row = this.pending().find(row => row.id === id && row.state === (state ?? row.state))
    if (row) return row
    throw twinError('not-pending', `give the \`id\` of a${state ? ` ${state}` : ''} row of pending()`)
  }

  /** Dispatches what was held under a new number, and takes it off the list. */
  #renew({ id, n }: PendingAction, action: Action) {
    const next = this.#stores.find()
    if (!next) throw twinError('no-store', 'no store shows this twin: there is nothing to dispatch to')
    const renewed = this.#session.core.take({ ...action, meta: { ...(action as any).meta, twin: { retryOf: n } } }, next)
    this.drop(id)
    return renewed
  }
}

/** A row that is no entry, whatever it holds, as a line of an export. */
function unreadable(row: unknown): string {
  const line = (row: unknown) => JSON.stringify({ state: 'unreadable', row })
  try {
    return line(row)
  } catch {
    return line(String(row))
  }
}
