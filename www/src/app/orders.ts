/** The orders in the store, and the one way in which this app changes them. */
import { computed, inject, Injectable } from '@angular/core'
import { Store } from '@ngrx/store'
import { isTwinError } from 'twinstore'
import type { OrderAction, OrdersState } from '../../../examples/sales-order/reducer.js'
import { Toasts } from './toasts'

@Injectable({ providedIn: 'root' })
export class Orders {
  readonly #store: Store<{ orders: OrdersState }> = inject(Store)
  readonly #toasts = inject(Toasts)

  readonly entities = this.#store.selectSignal(({ orders }) => orders.entities)
  /** Newest first: ids begin with the time they were made at. */
  readonly all = computed(() => Object.values(this.entities()).sort((a, b) => (a.id < b.id ? 1 : -1)))

  /** Dispatches, as far as the model lets it. */
  dispatch(action: OrderAction): boolean {
    return this.attempt(() => this.#store.dispatch(action))
  }

  /** Does what a twin may refuse; where it does, shows the reason and gives `false`. */
  attempt(work: () => unknown): boolean {
    try {
      work()
      return true
    } catch (error) {
      if (!isTwinError(error)) throw error
      this.#toasts.show({ kind: 'refused', title: 'Not possible', text: error.message })
      return false
    }
  }
}

/** An id that no other device makes: the time, so that ids sort by it, and randomness. */
export function newId(): string {
  const random = crypto.getRandomValues(new Uint32Array(1))[0] as number
  return `${Date.now().toString(36)}${(random % 46_656).toString(36).padStart(3, '0')}`
}
