/** The app's stores that show a twin, held weakly: one that nobody holds any more can be collected. */
type Emit = (action: unknown) => unknown

export class Stores {
  #all: { emit: WeakRef<Emit>; dispatch: WeakRef<Emit> | undefined }[] = []
  /** Where actions were on their way to that `'server'` routing holds back. */
  readonly #withheldFrom = new WeakMap<object, WeakRef<Emit>>()

  /** A store shows the twin: `emit` is its way below the middleware, `dispatch` its own. Gives the way to stop. */
  attach(emit: Emit, dispatch?: Emit): () => void {
    const store = { emit: new WeakRef(emit), dispatch: dispatch && new WeakRef(dispatch) }
    this.#all.push(store)
    return () => void (this.#all = this.#all.filter(other => other !== store))
  }

  /** The ways below the middleware. */
  get live(): Emit[] {
    this.#all = this.#all.filter(store => store.emit.deref())
    return this.#all.map(store => store.emit.deref()).filter(emit => emit !== undefined)
  }

  /** Dispatches an action to every store. */
  dispatch(action: unknown): void {
    for (const store of this.#all) attempt('a store threw while it was told of a change', () => store.dispatch?.deref()?.(action))
  }

  /** Sends an action below the middleware, to every store but one. */
  emit(action: unknown, except: unknown): void {
    for (const emit of this.live)
      if (emit !== except) attempt('a reducer or subscriber threw while a store was brought up to date', () => emit(action))
  }

  withhold(stamped: object, next: Emit): void {
    this.#withheldFrom.set(stamped, new WeakRef(next))
  }

  /** The way that an action was held back from, or that of the oldest store that is left. */
  find(stamped?: object): Emit | undefined {
    return (stamped && this.#withheldFrom.get(stamped)?.deref()) ?? this.live[0]
  }
}

/** The app's own code: what it throws is its own matter, and keeps nobody else from hearing. */
export function attempt(complaint: string, work: () => unknown): void {
  try {
    work()
  } catch (error) {
    console.error(`twinstore: ${complaint}:`, error)
  }
}
