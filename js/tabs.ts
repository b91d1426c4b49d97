/**
 * The tabs of one stored outbox: which of them leads, and what they tell each other.
 *
 * One tab holds a Web Lock for its whole life: it leads, that is, it has the socket and writes what the server says.
 * The others follow: they store by themselves what they dispatch, say so, and hear from the leader what it hears from
 * the server. A leader that does not answer is frozen: its lock is taken from it, and its writes meet a newer token.
 */

/** What tabs say. The leader: `roll`, `frame`, `link`, `changed`. Followers: `who`, `state`. Every tab: `stored`, `changed`, `gone`. */
type Message =
  | ['stored', client: string, n: number]
  | ['frame', text: string]
  | ['link', online: boolean, schema: number]
  | ['changed']
  | ['gone']
  | ['state']
  | ['who', schema: number, client: string]
  | ['roll']

/** What a twin does about it. */
export interface TabEvents {
  /** This tab leads from now on, or follows. */
  lead(leads: boolean): void
  /** Another tab has stored entries of a client, up to this number. */
  stored(client: string, n: number): void
  /** This tab leads, and there is another one, of this client. */
  joined(client: string): void
  /** The leader heard this from the server. */
  frame(text: string): void
  /** The leader's link, and the schema of the server's model. */
  link(online: boolean, schema: number): void
  /** What is stored is not what it was. */
  changed(): void
  /** The stored data was erased. */
  gone(): void
  /** A tab that follows needs the server's state, and this one leads. */
  state(): void
}

/** A leader that was asked has to answer within this time, in milliseconds, or counts as frozen. */
const ANSWER_MS_MAX = 3_000
/** How often a follower that is visible asks whether its leader is there. */
const ASK_MS = 5_000
/** A lock is taken from its holder no more often than this. */
const STEAL_MS_MIN = 30_000

/** Whether tabs can agree on a leader here. */
export const tabsCanAgree = () => typeof BroadcastChannel === 'function' && globalThis.navigator?.locks !== undefined

/** Whether nobody sees this page. */
export const isHidden = () => (globalThis as { document?: { hidden?: boolean } }).document?.hidden === true

export class Tabs {
  leads = false
  readonly #lock: string
  readonly #channel: BroadcastChannel
  readonly #asking: ReturnType<typeof setInterval>
  /** Empty until its lock is held. */
  #client = ''
  readonly #schema: number
  readonly #events: TabEvents
  #release: (() => void) | undefined
  /** Ends the wait for the lock. */
  #waiting = new AbortController()
  #closed = false
  /** Ends the wait for the leader's answer. */
  #answered: (() => void) | undefined
  /** By a clock that does not jump. */
  #stolenAt = -STEAL_MS_MIN
  #link: [online: boolean, schema: number] = [false, 0]

  constructor(key: string, client: Promise<string>, schema: number, events: TabEvents) {
    this.#lock = `twinstore:leader:${key}`
    this.#schema = schema
    this.#events = events
    this.#channel = new BroadcastChannel(`twinstore:${key}`)
    this.#channel.onmessage = ({ data }) => this.#hear(data)
    this.#asking = setInterval(() => this.ask(), ASK_MS)
    this.#request()
    this.#say('who', schema, '')
    void client.then(id => this.#say('who', schema, (this.#client = id)))
  }

  /** Entries of this tab are stored. */
  stored(client: string, n: number): void {
    this.#say('stored', client, n)
    this.ask()
  }

  /** What is stored is not what it was. */
  changed(): void {
    this.#say('changed')
  }

  /** A frame came, and this tab leads. */
  frame(text: string): void {
    if (this.leads) this.#say('frame', text)
  }

  /** Asks the leader for the server's state, whose frames it passes on. */
  state(): void {
    this.#say('state')
  }

  /** The link is up or not, and this tab leads. */
  link(online: boolean, schema: number): void {
    if (!this.leads || (online === this.#link[0] && schema === this.#link[1])) return
    this.#link = [online, schema]
    this.#say('link', online, schema)
  }

  /** Asks whether the leader is there. One that says nothing is replaced. */
  ask(): void {
    if (this.leads || this.#closed || this.#answered || isHidden()) return
    const waiting = setTimeout(() => {
      this.#answered = undefined
      this.#steal()
    }, ANSWER_MS_MAX)
    this.#answered = () => {
      clearTimeout(waiting)
      this.#answered = undefined
    }
    this.#say('who', this.#schema, this.#client)
  }

  /** Another tab took the lead while this one slept: follows, and waits for its turn again. */
  stepDown(): void {
    if (!this.leads) return
    this.leads = false
    this.#release?.()
    this.#events.lead(false)
    this.#request()
    this.ask()
  }

  /** Leaves the others. `gone`: the stored data is erased. */
  close(gone = false): void {
    if (this.#closed) return
    if (gone) this.#say('gone')
    this.#closed = true
    this.leads = false
    clearInterval(this.#asking)
    this.#waiting.abort()
    this.#answered?.()
    this.#release?.()
    this.#channel.close()
  }

  #say(...message: Message): void {
    if (!this.#closed) this.#channel.postMessage(message)
  }

  #hear(message: Message): void {
    switch (message[0]) {
      case 'stored':
        return this.#events.stored(message[1], message[2])
      case 'changed':
        return this.#events.changed()
      case 'gone':
        return this.#events.gone()
      case 'state':
        if (this.leads) this.#events.state()
        return
      case 'who':
        // Whose app is newer leads: the older one could not fold what it brings.
        if (message[1] > this.#schema) return this.stepDown()
        if (!this.leads) return
        if (message[2]) this.#events.joined(message[2])
        return this.#say('link', ...this.#link)
    }
    // The rest is said by who leads; a leader that hears it was replaced and does not know yet.
    this.#answered?.()
    if (this.leads) return
    if (message[0] === 'frame') this.#events.frame(message[1])
    else if (message[0] === 'link') this.#events.link(message[1], message[2])
    else this.#say('who', this.#schema, this.#client)
  }

  #steal(): void {
    if (this.leads || this.#closed || performance.now() - this.#stolenAt < STEAL_MS_MIN) return
    this.#stolenAt = performance.now()
    this.#request(true)
  }

  /** Waits for the lock, or takes it from its holder. Held until the tab closes, steps down, or is robbed itself. */
  #request(steal = false): void {
    const held = () => {
      if (this.#closed || this.leads) return
      this.leads = true
      this.#link = [false, 0]
      this.#answered?.()
      this.#events.lead(true)
      this.#say('roll')
      // Until this tab has its link, nobody has one.
      this.#say('link', ...this.#link)
      return new Promise<void>(resolve => (this.#release = resolve))
    }
    this.#waiting.abort()
    this.#waiting = new AbortController()
    // Rejects where the lock was stolen: then another tab leads.
    const options = steal ? { steal } : { signal: this.#waiting.signal }
    navigator.locks.request(this.#lock, options, held).catch(() => this.stepDown())
  }
}
