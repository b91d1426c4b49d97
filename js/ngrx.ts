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

/** Adds twins to the store. In the root after `provideStore()`; for a lazy feature after `provideState()` there. */
export function provideTwin(...twins: Twin<any, any>[]): EnvironmentProviders {
  return makeEnvironmentProviders([
    { provide: TWINS, multi: true, useValue: twins },
    { provide: ActionsSubject, useFactory: () => inherited(ActionsSubject) ?? new TwinActionsSubject(inject(TWINS).flat()) },
    { provide: ScannedActionsSubject, useFactory: () => inherited(ScannedActionsSubject) ?? new TwinScannedActionsSubject() },
    provideEnvironmentInitializer(() => connect(twins)),
  ])
}

/** A twin's status as a signal, in an injection context. */
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

class TwinActionsSubject extends ActionsSubject {
  readonly #twins = new Map<Twin, Set<Emit>>()

  constructor(twins: readonly Twin[]) {
    super()
    for (const twin of twins) this.#twins.set(twin, new Set())
  }

  override next(action: Action): void {
    // A class's instance or a string of NgRx's own: passes through each twin untouched, or to its error.
    const [...chain] = this.#twins.keys()
    const from = (i: number) => (action: Action): unknown => {
      const twin = chain[i]
      return twin ? twin.take(action, from(i + 1)) : super.next(action)
    }
    from(0)(action)
  }

  /** Below the twins. */
  emit(action: Action): void {
    super.next(action)
  }

  /** A twin may be provided in more than one place. `emit` is kept here, since the twin holds it weakly. */
  add(twin: Twin, emit: Emit): void {
    this.#twins.set(twin, (this.#twins.get(twin) ?? new Set()).add(emit))
  }

  remove(twin: Twin, emit: Emit): void {
    const emits = this.#twins.get(twin)
    emits?.delete(emit)
    if (emits?.size === 0) this.#twins.delete(twin)
  }
}

class TwinScannedActionsSubject extends ScannedActionsSubject {
  override next(action: Action): void {
    if (action.type !== REBASE) super.next(action)
  }
}

function connect(twins: readonly Twin[]): void {
  const subject = inject(ActionsSubject)
  const zone = inject(NgZone)
  const destroyed = inject(DestroyRef)
  if (!(subject instanceof TwinActionsSubject)) throw outOfOrder()
  for (const twin of twins) {
    const emit = (action: Action) => zone.run(() => subject.emit(action))
    subject.add(twin, emit)
    const detach = twin.attach(emit)
    destroyed.onDestroy(() => {
      detach()
      subject.remove(twin, emit)
    })
  }
}

function outOfOrder(): Error {
  const message = 'provideTwin() must come after provideStore(), and be among the root providers (there even without a twin) when a lazy feature provides one'
  return Object.assign(new Error(message), { name: 'TwinError', code: 'wiring' })
}
