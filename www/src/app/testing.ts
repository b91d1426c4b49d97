/** Handles for end-to-end tests and for the curious at the console; see `TESTING.md`. Harmless: what they do, a page can. */
import type { Injector } from '@angular/core'
import { Store, type Action } from '@ngrx/store'
import type { OrdersState } from '../../../examples/sales-order/reducer.js'
import type { OrdersTwin } from './twin'

export function exposeForTests(injector: Injector, twin: OrdersTwin) {
  const store: Store<{ orders: OrdersState }> = injector.get(Store)
  const state = store.selectSignal(({ orders }) => orders)
  Object.assign(globalThis, {
    __twin: twin,
    /** Dispatches to the NgRx store and gives back the action, for `__twin.confirmed(action)`. */
    __dispatch: <A extends Action>(action: A) => {
      store.dispatch<Action>(action)
      return action
    },
    /** The slice as the store shows it now. */
    __orders: () => state(),
  })
}
