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
    const known = this.#events()
    const after = Math.max(known[0]?.seq ?? 0, this.#twin.status.head - KEPT)
    const read = await this.#page(after)
    const newest = read.reverse()
    // A head below what is known: the server was reset, and what was read before is of another log.
    const reset = known.length > 0 && newest.length === 0 && (await this.#page(known[0]!.seq - 1)).length === 0
    this.#events.set(reset ? [] : [...newest, ...known].slice(0, KEPT))
    if (reset) this.#again = true
  }

  async #page(after: number): Promise<LogEvent[]> {
    const stream = encodeURIComponent(this.#twin.name)
    const url = new URL(`streams/${stream}/events?after=${after}&limit=${PAGE}`, document.baseURI)
    // Past the service worker: it would answer for a dead server itself.
    const response = await fetch(url, { headers: { 'ngsw-bypass': '1' }, cache: 'no-store' })
    if (!response.ok) throw new Error(`the server answered ${response.status}`)
    return (await response.text())
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as LogEvent)
  }
}

const KEPT = 200
const PAGE = 500
