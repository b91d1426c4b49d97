/** What `durable` and `confirmed` answer: a ticket for each action dispatched here, found by the action. */
import { twinError } from './types.js'

/** A promise with its ends. That nobody waits for it is no error. */
export interface Deferred<T> {
  promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

export function deferred<T>(): Deferred<T> {
  const ends = {} as Deferred<T>
  ends.promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }))
  ends.promise.catch(() => {})
  return ends
}

export interface Ticket {
  durable: Deferred<void>
  confirmed: Deferred<number>
}

/** Of an action that the app dispatched, the stamped copy: a second twin that takes it sees only that one. */
const stampedOf = new WeakMap<object, object>()

/** By the original and by the stamped action; neither is kept alive. */
export type TicketsOf = WeakMap<object, Ticket>

/** The tickets of one client. */
export class Tickets {
  /** Of all clients that a twin had. */
  readonly #byAction: TicketsOf
  /** Those without a verdict, by number, oldest first. */
  readonly #open = new Map<number, Ticket>()
  #stored = 0

  constructor(byAction: TicketsOf) {
    this.#byAction = byAction
  }

  issue(n: number, action: object, stamped: object): void {
    const ticket = { durable: deferred<void>(), confirmed: deferred<number>() }
    if (action !== stamped) stampedOf.set(action, stamped)
    this.#byAction.set(action, ticket)
    this.#byAction.set(stamped, ticket)
    this.#open.set(n, ticket)
  }

  /** Another object that stands for the action of that number. */
  alias(n: number, action: object): void {
    const ticket = this.#open.get(n)
    if (ticket) this.#byAction.set(action, ticket)
  }

  /** One action takes the place of two: the older one's promises end as the newer one's do. */
  merge(older: number, n: number): void {
    const [before, now] = [this.#open.get(older), this.#open.get(n)]
    if (!before || !now) return
    this.#open.delete(older)
    now.confirmed = before.confirmed
    now.durable.promise.then(before.durable.resolve, before.durable.reject)
  }

  find(action: object): Ticket {
    const ticket = this.#byAction.get(action) ?? this.#byAction.get(stampedOf.get(action) ?? action)
    if (ticket) return ticket
    throw twinError('not-twinned', 'this twin did not take that action: give what dispatch returned, or the object that you dispatched')
  }

  /** Own actions up to `n` are stored; in memory only, where `inMemory` says so. */
  stored(n: number, inMemory: boolean): void {
    while (this.#stored < n) {
      const durable = this.#open.get(++this.#stored)?.durable
      if (!inMemory) durable?.resolve()
      else durable?.reject(twinError('not-durable', 'the outbox is in memory only: nothing is stored on this device. See status.storage'))
    }
  }

  /** The action has its verdict: its place, or an error. */
  settle(n: number, verdict: number | Error): void {
    const ticket = this.#open.get(n)
    if (!ticket) return
    this.#open.delete(n)
    if (verdict instanceof Error) ticket.confirmed.reject(verdict)
    else ticket.confirmed.resolve(verdict)
    // A verdict is more than being stored here; what was dropped will never be stored.
    if (verdict instanceof Error && (verdict as { code?: string }).code !== 'rejected') ticket.durable.reject(verdict)
    else ticket.durable.resolve()
  }

  /** Nothing more will be told. */
  close(): void {
    for (const n of [...this.#open.keys()]) this.settle(n, twinError('closed', 'the twin was closed before the action had its verdict'))
  }
}
