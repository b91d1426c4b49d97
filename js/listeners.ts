/** What a twin tells its app: its status, and notices, which wait until the stores are up to date. */
import { attempt } from './stores.js'
import type { Notices, TwinStatus } from './types.js'

type Listener = (notice: any) => void

const atFirst = (): TwinStatus => ({
  link: 'offline',
  pending: 0,
  held: 0,
  head: 0,
  cursor: 0,
  storage: 'opening',
  role: 'alone',
  outdated: false,
  schema: 0,
  oldest: null,
  unreadable: 0,
  since: Date.now(),
  lastError: null,
})

export class Listeners {
  status = atFirst()
  readonly #byName = new Map<string, Set<Listener>>()
  #queue: [name: string, notice: unknown][] = []
  #flushing = false

  on(name: string, listener: Listener): () => void {
    // Wrapped, so that the same function may listen twice.
    const own: Listener = notice => listener(notice)
    const all = this.#byName.get(name) ?? new Set()
    this.#byName.set(name, all.add(own))
    return () => void all.delete(own)
  }

  /** Another stream: nothing is known of it yet. */
  startOver(): void {
    this.status = atFirst()
  }

  change(changes: Partial<TwinStatus>): void {
    const before = this.status
    const keys = Object.keys(changes) as (keyof TwinStatus)[]
    if (keys.every(key => changes[key] === before[key])) return
    const since = (changes.link ?? before.link) === before.link ? before.since : Date.now()
    this.status = { ...before, ...changes, since }
    this.tellOnce('status', this.status)
  }

  tell<K extends keyof Notices>(name: K, notice: Notices[K]): void {
    this.#queue.push([name, notice])
  }

  /** Only the newest is worth telling. */
  tellOnce(name: string, notice: unknown): void {
    this.#queue = this.#queue.filter(([queued]) => queued !== name)
    this.#queue.push([name, notice])
  }

  /** Calls the listeners, in order. One that throws does not keep the others from hearing it. */
  flush(): void {
    if (this.#flushing) return
    this.#flushing = true
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      const [name, notice] = next
      for (const listener of [...(this.#byName.get(name) ?? [])]) attempt(`a listener of the twin's notice "${name}" threw`, () => listener(notice))
    }
    this.#flushing = false
  }
}
