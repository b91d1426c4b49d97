/** The twin as the app holds it: the public API over the Rust half (`Core`) and what that tells (`Host`). */
import { Core } from '#wasm'
import { Host } from './host.js'
import { type Client, newClient, takeLocks, whenGone } from './locks.js'
import { Tabs } from './tabs.js'
import { type Completed, complete } from './options.js'
import { type Action, type Middleware, type Notices, type PendingAction, type Reducer, type Twin, type TwinOptions, twinError } from './types.js'

/** How long a hello waits for what others left: a frozen tab may hold the lock. */
const ADOPTION_MS_MAX = 2_000

const SENT = 'only an action that was never sent, or is held, can be dropped or edited: the server may have taken this one'

/** The twins of this page, so that a second `createTwin` for the same gives the first one back. */
const twins = new Map<string, TwinObject>()

/** A durable twin of a stream. For a name, user and stream that are known already: the same twin, with the new reducer. */
export function createTwin<S, A extends { type: string } = { type: string }>(options: TwinOptions<S, A>): Twin<S, A> {
  const completed = complete(options)
  let twin = twins.get(completed.key)
  if (twin) twin.replaceReducer(completed.reducer)
  else {
    // On one socket a stream can stand but once.
    if ([...twins.values()].some(other => other.isOn(completed))) completed.line = completed.key
    twin = new TwinObject(completed)
    twins.set(completed.key, twin)
    twin.connect()
  }
  return twin as unknown as Twin<S, A>
}

class TwinObject implements Twin<any, any> {
  readonly name: string
  readonly middleware: Middleware
  readonly reducer: Reducer<any, any>
  readonly #options: Completed
  readonly #host = new Host()
  readonly #core: Core
  readonly #sleep: () => void
  readonly #client: Client
  /** The clients whose verdicts are told here: this page load, and those that are gone. */
  readonly #ours = new Set<string>()
  /** Other tabs' clients whose end is waited for. */
  readonly #watched = new Set<string>()
  /** Of other tabs' clients, the last number that was asked for. */
  readonly #seen = new Map<string, number>()
  /** Clients whose locks are held here, but whose entries could not be read yet. */
  #unread: string[] = []
  #tabs: Tabs | undefined
  #asked = false
  #closed = false

  constructor(options: Completed) {
    const host = this.#host
    this.#client = newClient()
    options.client = this.#client.id
    const core = new Core(options as never, host as never)
    this.#options = options
    this.#core = core
    this.name = options.name
    this.reducer = (state, action) => core.reduce(state, action)
    // `next` is held by this closure alone: a store that nobody holds any more can be collected.
    this.middleware = api => next => {
      this.attach(next, api.dispatch)
      return action => {
        // Throws Redux's own error while a reducer runs, before anything is stored.
        if (typeof action === 'object' && action !== null) api.getState()
        return core.take(action, next)
      }
    }
    this.#sleep = onWake(() => {
      core.wake()
      this.#tabs?.ask()
      void this.#adopt()
    })
    host.answers = {
      opened: turn => void this.#answer(turn),
      stored: n => {
        this.#tabs?.stored(this.#client.id, n)
        this.#askToPersist()
      },
      relay: text => this.#tabs?.frame(text),
      changed: () => this.#tabs?.changed(),
      askLeader: () => this.#tabs?.state(),
      moved: () => this.#goAlone(),
      outranked: () => this.#tabs?.stepDown(),
    }
    this.#ours.add(this.#client.id)
    if (!options.leads) this.#tabs = this.#join()
    const { announce } = options
    // Its name in `meta.twin` says that it is for no twin.
    if (announce) host.on('changed', () => host.dispatch({ type: announce, meta: { twin: { name: this.name } } }))
    host.on('status', ({ link, schema }) => this.#tabs?.link(link === 'online', schema))
    void host.ready.promise.then(() => this.#adopt())
  }

  isOn({ url, user, stream }: Completed) {
    return this.#options.url === url && this.#options.user === user && this.#options.stream === stream
  }

  get status() {
    return this.#host.current
  }

  get ready() {
    return this.#host.ready.promise
  }

  subscribe(fn: () => void) {
    return this.on('status', fn)
  }

  on<K extends keyof Notices>(name: K, fn: (notice: Notices<any>[K]) => void) {
    return this.#host.on(name, fn)
  }

  pending(): PendingAction[] {
    const rows: PendingAction[] = (this.#host.rows = [])
    this.#core.pending()
    return rows
  }

  async durable(action: object) {
    return this.#host.tickets.find(action).durable.promise
  }

  async confirmed(action: object) {
    return this.#host.tickets.find(action).confirmed.promise
  }

  retry(id: string) {
    const row = this.#row(id, 'held')
    return this.#renew(row, row.action)
  }

  edit(id: string, action: Action) {
    const row = this.#row(id)
    if (typeof action?.type !== 'string') throw twinError('not-plain', 'an action is an object with a string `type`')
    if (row.state === 'held') return this.#renew(row, action)
    const edited = { ...action, meta: { ...(action as any).meta, twin: row.action.meta.twin } }
    const code = this.#core.edit(row.client, row.n, edited)
    if (code) throw twinError(code, SENT)
    if (row.client === this.#options.client) this.#host.tickets.alias(row.n, edited)
    return edited
  }

  drop(id: string) {
    const { client, n } = this.#row(id)
    const code = this.#core.drop(client, n)
    if (code) throw twinError(code, SENT)
    if (client === this.#options.client) this.#host.tickets.settle(n, twinError('dropped', 'the app dropped the action'))
  }

  export() {
    const rows = this.pending().map(row => JSON.stringify(row))
    return [...rows, ...this.#host.unreadable.map(unreadable), ''].join('\n')
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
    if (this.#options.url !== undefined) this.#core.connect()
  }

  disconnect() {
    this.#core.disconnect()
  }

  replaceReducer(reducer: Reducer<any, any>) {
    this.#core.replaceReducer(reducer)
  }

  close() {
    if (this.#closed) return
    this.#closed = true
    this.#sleep()
    twins.delete(this.#options.key)
    this.#core.close()
    this.#tabs?.close()
    this.#client.end()
    this.#host.tickets.close()
  }

  forget() {
    this.#tabs?.close(true)
    this.close()
    return new Promise<void>(resolve => this.#core.erase(resolve))
  }

  take(action: unknown, next: (action: any) => unknown) {
    return this.#core.take(action, next)
  }

  attach(emit: (action: any) => unknown, dispatch?: (action: any) => unknown) {
    const detach = this.#host.attach(emit, dispatch)
    this.#core.attach(emit)
    return detach
  }

  #row(id: string, state?: PendingAction['state']): PendingAction {
    if (this.#closed) throw twinError('closed', 'the twin is closed: make it anew with createTwin')
    const row = this.pending().find(row => row.id === id && row.state === (state ?? row.state))
    if (row) return row
    throw twinError('not-pending', `give the \`id\` of a${state ? ` ${state}` : ''} row of pending()`)
  }

  /** Dispatches what was held under a new number, and takes it off the list. */
  #renew({ id, n }: PendingAction, action: Action) {
    const next = this.#host.storeFor()
    if (!next) throw twinError('no-store', 'no store shows this twin: there is nothing to dispatch to')
    const renewed = this.#core.take({ ...action, meta: { ...(action as any).meta, twin: { retryOf: n } } }, next)
    this.drop(id)
    return renewed
  }

  /** With the other tabs of the same stored outbox. */
  #join(): Tabs {
    this.#host.role('follower')
    return new Tabs(this.#options.key, this.#client.held, this.#options.schema, {
      lead: leads => {
        this.#host.role(leads ? 'leader' : 'follower')
        this.#core.lead(leads, () => void this.#adopt())
      },
      stored: (client, n) => void this.#look(client, n),
      joined: client => void this.#outlive(client),
      frame: text => this.#core.hear(text),
      link: (online, schema) => this.#core.relayed(online, schema),
      changed: () => this.#core.reread(),
      gone: () => this.close(),
      state: () => this.#core.askState(),
    })
  }

  /** The outbox has a home of its own now: no tab shares it. */
  #goAlone() {
    // What could not be read before can be now.
    if (this.status.storage === 'indexedDB' || !this.#tabs) return void this.#adopt()
    this.#tabs.close()
    this.#tabs = undefined
    this.#host.role('alone')
    this.#core.lead(true, () => void this.#adopt())
  }

  /** The browser shall not clear away what has nobody else yet. It may say no; nothing hangs on it. */
  #askToPersist() {
    if (this.#asked || this.status.storage === 'memory') return
    this.#asked = true
    const storage = globalThis.navigator?.storage as StorageManager | undefined
    void storage?.persist?.().catch(() => {})
  }

  /** Takes in what another tab has stored since the last look. */
  async #look(client: string, n: number) {
    // What is stored while the first reading goes on may not be in it.
    await this.ready
    const seen = this.#seen.get(client) ?? 0
    if (n <= seen || this.#closed) return
    this.#seen.set(client, n)
    this.#core.look(client, seen + 1, false, () => {})
  }

  /** Waits until another tab is gone, to take over what it left without a moment's delay. */
  async #outlive(client: string) {
    if (this.#watched.has(client)) return
    this.#watched.add(client)
    const release = await whenGone(client)
    this.#watched.delete(client)
    if (this.#closed || !this.#tabs?.leads) return release?.()
    await this.#inherit(client)
  }

  /** What a client left that is gone is this page's from now on. */
  async #inherit(client: string) {
    this.#ours.add(client)
    const isRead = await new Promise<boolean>(done => this.#core.look(client, 0, true, done))
    if (!isRead) this.#unread.push(client)
  }

  /** Takes over what clients left that are gone. Without storage of its own a twin has nothing to find. */
  async #adopt() {
    if (this.#closed || this.#tabs?.leads === false) return
    const clients = (await new Promise<string[]>(found => this.#core.clients(found))).filter(client => !this.#ours.has(client))
    const gone = clients.length > 0 ? await takeLocks(this.#options.key, clients) : []
    for (const client of gone) this.#ours.add(client)
    const wanted = [...this.#unread, ...gone]
    this.#unread = []
    for (const client of wanted) {
      if (this.#closed) return
      await this.#inherit(client)
    }
  }

  /** The socket is open: says hello with the token that is good now. */
  async #answer(turn: number) {
    const { token } = this.#options
    try {
      // What was left is older than what is dispatched now, and is sent before it.
      const [said] = await Promise.all([typeof token === 'function' ? token() : token, atMost(ADOPTION_MS_MAX, this.#adopt())])
      this.#core.linked(turn, said)
    } catch {
      this.#host.fail('token', 'the app’s token function failed; trying again later')
      this.#core.unlinked(turn)
    }
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

/** Resolves with the work, or when the time is over. */
function atMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const over = new Promise<void>(resolve => (timer = setTimeout(resolve, ms)))
  return Promise.race([work, over]).finally(() => clearTimeout(timer))
}

/** Calls `wake` whenever the browser says that trying again may be worth while. Gives the way to stop. */
function onWake(wake: () => void): () => void {
  const page = (globalThis as { document?: EventTarget }).document
  const targets: [EventTarget | undefined, string][] = [[globalThis as never, 'online'], [globalThis as never, 'pageshow'], [page, 'visibilitychange'], [page, 'resume']]
  for (const [target, name] of targets) target?.addEventListener?.(name, wake)
  return () => {
    for (const [target, name] of targets) target?.removeEventListener?.(name, wake)
  }
}
