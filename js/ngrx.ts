/**
 * Twins in an NgRx store: `provideStore({ orders: orders.reducer }), provideTwin(orders)`, in this order.
 *
 * Actions pass the twins in a subclass of `ActionsSubject`, before they reach the reducers; a meta-reducer would
 * be too late, and runs again whenever DevTools recompute. A subclass of `ScannedActionsSubject` keeps the internal
 * rebase from effects. A throw in a reducer is the caller's and leaves the store alive.
 */
import {
  DestroyRef,
  type EnvironmentProviders,
  InjectionToken,
  NgZone,
  type Signal,
  inject,
  makeEnvironmentProviders,
  provideEnvironmentInitializer,
  signal,
} from '@angular/core'
import { type Action, ActionsSubject, ScannedActionsSubject } from '@ngrx/store'
import type { Twin, TwinStatus } from 'twinstore'

/** As in `twinstore`; spelled here because an adapter takes only types from there. */
const REBASE = '@@twin/rebase'

/** Every twin that was provided, so that actions dispatched while the app starts are caught too. */
const TWINS = new InjectionToken<readonly Twin[][]>('twinstore.twins')

/**
 * Adds twins to the store, after it: `provideStore({ orders: orders.reducer }), provideTwin(orders)`. For a lazy feature:
 * `provideState('orders', orders.reducer), provideTwin(orders)` on its route, and `provideTwin()` among the root's providers.
 * In another order the app does not start: a `TwinError` `wiring` says so.
 */
export function provideTwin(...twins: Twin<any, any>[]): EnvironmentProviders {
  return makeEnvironmentProviders([
    { provide: TWINS, multi: true, useValue: twins },
    { provide: ActionsSubject, useFactory: () => inherited(ActionsSubject) ?? new TwinActionsSubject(inject(TWINS).flat()) },
    { provide: ScannedActionsSubject, useFactory: () => inherited(ScannedActionsSubject) ?? new TwinScannedActionsSubject() },
    provideEnvironmentInitializer(() => connect(twins)),
  ])
}

/** A twin's `status` as a signal; to be called in an injection context, for example for a component's field. */
export function injectTwinStatus(twin: Twin<any, any>): Signal<TwinStatus> {
  const status = signal(twin.status)
  inject(DestroyRef).onDestroy(twin.subscribe(() => status.set(twin.status)))
  return status.asReadonly()
}

/** In a lazy feature the root's store stays in charge. */
function inherited<T>(token: new (...args: any[]) => T): T | null {
  return inject(token, { skipSelf: true, optional: true })
}

type Emit = (action: Action) => unknown

/** A twin's place among those of the store. */
interface Place {
  twin: Twin
  /** What comes after the twin: one function, by which the twin knows this store. It holds it weakly, the place holds it. */
  next(action: Action): void
  /** A dispatch, for the twin. Held here as well. */
  dispatch(action: Action): void
  /** How often the twin is provided. */
  count: number
  detach?: () => void
}

class TwinActionsSubject extends ActionsSubject {
  readonly #places: Place[] = []
  readonly #zone = inject(NgZone)
  #dispatching = false

  constructor(twins: readonly Twin[]) {
    super()
    for (const twin of twins) this.#placeOf(twin)
  }

  override next(action: Action): void {
    const outer = this.#dispatching
    this.#dispatching = true
    try {
      this.#passFrom(0, action)
    } finally {
      this.#dispatching = outer
    }
  }

  /** The twin is shown from now on; gives the way to leave. */
  join(twin: Twin): () => void {
    const place = this.#placeOf(twin)
    if (++place.count === 1) place.detach = twin.attach(place.next, place.dispatch)
    return () => {
      if (--place.count > 0) return
      place.detach?.()
      this.#places.splice(this.#places.indexOf(place), 1)
    }
  }

  #placeOf(twin: Twin): Place {
    const known = this.#places.find(place => place.twin === twin)
    if (known) return known
    const place: Place = {
      twin,
      count: 0,
      dispatch: action => this.#zone.run(() => this.next(action)),
      next: action => {
        const at = this.#places.indexOf(place)
        const pass = () => this.#passFrom(at < 0 ? this.#places.length : at + 1, action)
        // What a socket brings enters the zone; a dispatch stays where the app called it.
        return this.#dispatching ? pass() : this.#zone.run(pass)
      },
    }
    this.#places.push(place)
    return place
  }

  /** Through the twins in their order, and on to the reducers. */
  #passFrom(at: number, action: Action): void {
    const place = this.#places[at]
    // A class's instance or a string of NgRx's own passes through each twin untouched, or to its error.
    if (place) place.twin.take(action, place.next)
    else super.next(action)
  }
}

class TwinScannedActionsSubject extends ScannedActionsSubject {
  override next(action: Action): void {
    if (action.type !== REBASE) super.next(action)
  }
}

function connect(twins: readonly Twin[]): void {
  const subject = inject(ActionsSubject)
  const destroyed = inject(DestroyRef)
  if (!(subject instanceof TwinActionsSubject)) throw outOfOrder()
  for (const twin of twins) destroyed.onDestroy(subject.join(twin))
}

function outOfOrder(): Error {
  const message = 'provideTwin() must come after provideStore(). Where a lazy feature provides a twin, the root providers need a provideTwin() as well, be it without a twin'
  return Object.assign(new Error(message), { name: 'TwinError', code: 'wiring' })
}
