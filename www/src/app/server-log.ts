/** The server's own log of the stream, read over HTTP: what the twin is measured by. */
import { inject, Injectable, signal } from '@angular/core'
import { TWIN } from './twin'

/** An event as the server gives it. */
export interface LogEvent {
  seq: number
  at?: number
  client?: string
  n?: number
  action?: { type: string; payload?: unknown }
  error?: { code: string; reason: string }
}

@Injectable({ providedIn: 'root' })
export class ServerLog {
  readonly #twin = inject(TWIN)
  readonly #events = signal<readonly LogEvent[]>([])
  readonly #reach = signal<'unknown' | 'reached' | 'unreachable'>('unknown')
  readonly #readAt = signal<number | undefined>(undefined)
  #log: string | null = null
  #reading = false
  #again = false

  /** The newest events, newest first. */
  readonly events = this.#events.asReadonly()
  readonly reach = this.#reach.asReadonly()
  /** When it was last read. */
  readonly readAt = this.#readAt.asReadonly()

  /** Reads what is new. One reading at a time: confirmations come faster than answers. */
  async refresh(): Promise<void> {
    this.#again = this.#reading
    if (this.#reading) return
    this.#reading = true
    try {
      await this.#read()
      this.#reach.set('reached')
      this.#readAt.set(Date.now())
    } catch {
      this.#reach.set('unreachable')
    } finally {
      this.#reading = false
    }
    if (this.#again) await this.refresh()
  }

  async #read() {
    const after = this.#events()[0]?.seq ?? Math.max(0, this.#twin.status.head - KEPT)
    let page = await this.#page(after)
    // Another log, or one restored from a backup, goes on from nothing that is known; nor does one that ran far ahead.
    const anew = page.log !== this.#log || page.head < after || page.head > after + KEPT
    if (anew) page = await this.#page(Math.max(0, page.head - KEPT))
    this.#log = page.log
    this.#events.update((known) => [...page.events.reverse(), ...(anew ? [] : known)].slice(0, KEPT))
  }

  async #page(after: number): Promise<Page> {
    const stream = encodeURIComponent(this.#twin.name)
    const url = new URL(`streams/${stream}/events?after=${after}&limit=${KEPT}`, document.baseURI)
    // Past the service worker: it would answer for a dead server itself.
    const response = await fetch(url, { headers: { 'ngsw-bypass': '1' }, cache: 'no-store' })
    if (!response.ok) throw new Error(`the server answered ${response.status}`)
    return (await response.json()) as Page
  }
}

interface Page {
  /** Which log; another one after a reset. */
  log: string | null
  head: number
  events: LogEvent[]
}

const KEPT = 200
