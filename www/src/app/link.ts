/** What the twin says of itself, as signals: the link's state, the outbox, and the switch that takes the app offline. */
import { computed, inject, Injectable, signal } from '@angular/core'
import type { PendingAction } from 'twinstore'
import type { OrderAction } from '../../../examples/sales-order/reducer.js'
import { offlineByChoice, rememberChoice, TWIN } from './twin'

@Injectable({ providedIn: 'root' })
export class Link {
  readonly #twin = inject(TWIN)
  readonly #status = signal({ ...this.#twin.status })
  readonly #outbox = signal<readonly PendingAction<OrderAction>[]>(this.#twin.pending())
  readonly #offline = signal(offlineByChoice())

  readonly status = this.#status.asReadonly()
  /** Pending actions, held ones too, oldest first. */
  readonly outbox = this.#outbox.asReadonly()
  /** True: the user wants to be offline. */
  readonly offline = this.#offline.asReadonly()
  /** How many pending actions concern each order. */
  readonly pendingByOrder = computed(() => {
    const counts = new Map<string, number>()
    for (const { action } of this.#outbox()) counts.set(action.payload.id, (counts.get(action.payload.id) ?? 0) + 1)
    return counts
  })

  constructor() {
    let due = false
    this.#twin.subscribe(() => {
      // A burst of dispatches is read once, when its task is over.
      if (due) return
      due = true
      queueMicrotask(() => {
        due = false
        this.#read()
      })
    })
  }

  setOffline(offline: boolean) {
    this.#offline.set(offline)
    rememberChoice(offline)
    if (offline) this.#twin.disconnect()
    else this.#twin.connect()
    this.#read()
  }

  #read() {
    this.#status.set({ ...this.#twin.status })
    this.#outbox.set(this.#twin.pending())
  }
}
