/** A stream while it is open: the Rust half (`Core`) as one client, with its tabs, and what clients left that are gone. */
import { Core } from '#wasm'
import { Host } from './host.js'
import type { Listeners } from './listeners.js'
import { type Client, newClient, takeLocks, whenGone } from './locks.js'
import type { Completed } from './options.js'
import type { Stores } from './stores.js'
import { Tabs, isHidden } from './tabs.js'
import { Tickets, type TicketsOf } from './tickets.js'

/** How long a hello waits for what others left: a frozen tab may hold the lock. */
const ADOPTION_MS_MAX = 2_000

export class Session {
  readonly options: Completed
  readonly host: Host
  readonly core: Core
  readonly #listeners: Listeners
  readonly #sleep: () => void
  readonly #client: Client
  /** The clients whose verdicts are told here: this one, and those that are gone. */
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

  constructor(options: Completed, listeners: Listeners, stores: Stores, tickets: TicketsOf) {
    const host = new Host(new Tickets(tickets), listeners, stores)
    this.options = options
    this.host = host
    this.#listeners = listeners
    this.#client = newClient()
    options.client = this.#client.id
    const core = new Core(options as never, host as never)
    this.core = core
    this.#sleep = onWake(() => {
      core.wake()
      this.#tabs?.ask()
      // What others said while this tab slept may be lost.
      if (this.#tabs && !isHidden()) core.reread()
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
      linked: (online, schema) => this.#tabs?.link(online, schema),
      moved: () => this.#goAlone(),
      outranked: () => this.#tabs?.stepDown(),
    }
    this.#ours.add(this.#client.id)
    if (!options.leads) this.#tabs = this.#join()
    void this.ready.then(() => this.#adopt(), () => {})
  }

  get isClosed() {
    return this.#closed
  }

  get ready() {
    return this.host.ready.promise
  }

  connect() {
    if (this.options.url !== undefined) this.core.connect()
  }

  /** Ends it. What is stored stays. */
  close() {
    if (this.#closed) return
    this.#closed = true
    this.#sleep()
    this.core.close()
    this.#tabs?.close()
    this.#client.end()
    this.host.end()
  }

  /** Ends it, here and in the other tabs, and erases what is stored. */
  erase() {
    this.#tabs?.close(true)
    this.close()
    return new Promise<void>(resolve => this.core.erase(resolve))
  }

  /** With the other tabs of the same stored outbox. */
  #join(): Tabs {
    this.#listeners.change({ role: 'follower' })
    return new Tabs(this.options.key, this.#client.held, this.options.schema, {
      lead: leads => {
        this.#listeners.change({ role: leads ? 'leader' : 'follower' })
        this.core.lead(leads, () => void this.#adopt())
      },
      stored: (client, n) => void this.#look(client, n),
      joined: client => void this.#outlive(client),
      frame: text => this.core.hear(text),
      link: (online, schema) => this.core.relayed(online, schema),
      changed: () => this.core.reread(),
      gone: () => this.close(),
      state: () => this.core.askState(),
    })
  }

  /** The outbox has a home of its own now: no tab shares it. */
  #goAlone() {
    // What could not be read before can be now.
    if (this.#listeners.status.storage === 'indexedDB' || !this.#tabs) return void this.#adopt()
    this.#tabs.close()
    this.#tabs = undefined
    this.#listeners.change({ role: 'alone' })
    this.core.lead(true, () => void this.#adopt())
  }

  /** The browser shall not clear away what has nobody else yet. It may say no; nothing hangs on it. */
  #askToPersist() {
    if (this.#asked || this.#listeners.status.storage === 'memory') return
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
    this.core.look(client, seen + 1, false, () => {})
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

  /** What a client left that is gone is this one's from now on. */
  async #inherit(client: string) {
    this.#ours.add(client)
    const isRead = await new Promise<boolean>(done => this.core.look(client, 0, true, done))
    if (!isRead) this.#unread.push(client)
  }

  /** Takes over what clients left that are gone. Without storage of its own a twin has nothing to find. */
  async #adopt() {
    if (this.#closed || this.#tabs?.leads === false) return
    const clients = (await new Promise<string[]>(found => this.core.clients(found))).filter(client => !this.#ours.has(client))
    // Who cannot read the database does not keep those from it who can.
    const keeps = this.#listeners.status.storage === 'indexedDB' || !('indexedDB' in globalThis)
    const gone = clients.length > 0 ? await takeLocks(this.options.key, clients, keeps) : []
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
    const { token } = this.options
    try {
      // What was left is older than what is dispatched now, and is sent before it.
      const [said] = await Promise.all([typeof token === 'function' ? token() : token, atMost(ADOPTION_MS_MAX, this.#adopt())])
      this.core.linked(turn, said)
    } catch {
      this.host.fail('token', 'the app’s token function failed; trying again later')
      this.core.unlinked(turn)
    }
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
