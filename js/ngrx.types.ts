/** What must and must not compile with NgRx: checked by `tsc`, never run. */
import type { ApplicationConfig, Signal } from '@angular/core'
import { createAction, createFeature, createReducer, on, props, provideState, provideStore, type ActionReducer, type ActionReducerMap, type Store } from '@ngrx/store'
import { createTwin, type Twin, type TwinStatus } from 'twinstore'
import { injectTwinStatus, provideTwin } from './ngrx.js'

type Equal<X, Y> = (<T>() => T extends X ? 1 : 2) extends <T>() => T extends Y ? 1 : 2 ? true : false
const holds = <T extends true>(): T | void => {}

interface Shelf {
  items: Record<string, number>
}
const added = createAction('[Shelf] added', props<{ id: string }>())
const shelfReducer = createReducer<Shelf>({ items: {} }, on(added, (state, { id }) => ({ items: { ...state.items, [id]: 1 } })))
const pageReducer = createReducer({ open: false })

const shelf = createTwin({ url: 'wss://example.com/sync', stream: 'shelf/one', reducer: shelfReducer })
holds<Equal<typeof shelf, Twin<Shelf, { type: string }>>>()
const reducer: ActionReducer<Shelf> = shelf.reducer
void reducer

// — The root, a feature, and a lazy route.

export const root: ApplicationConfig = {
  providers: [provideStore({ shelf: shelf.reducer, page: pageReducer }, { runtimeChecks: { strictStateImmutability: true } }), provideTwin(shelf)],
}
const map: ActionReducerMap<{ shelf: Shelf; page: { open: boolean } }> = { shelf: shelf.reducer, page: pageReducer }
export const mapped: ApplicationConfig = { providers: [provideStore(map), provideTwin(shelf)] }
export const lazy = [provideState('shelf', shelf.reducer), provideTwin(shelf)]
export const feature = [provideState(createFeature({ name: 'shelf', reducer: shelf.reducer })), provideTwin(shelf)]
export const none: ApplicationConfig = { providers: [provideStore(), provideTwin()] }
const other = createTwin({ url: null, stream: 'page/1', reducer: pageReducer })
export const two: ApplicationConfig = { providers: [provideStore({ shelf: shelf.reducer, page: other.reducer }), provideTwin(shelf, other)] }

export function use(store: Store<{ shelf: Shelf }>) {
  const action = added({ id: '1' })
  store.dispatch(action)
  void shelf.confirmed(action).then(seq => seq.toFixed())
  holds<Equal<ReturnType<typeof injectTwinStatus>, Signal<TwinStatus>>>()
  return injectTwinStatus(shelf)().pending.toFixed()
}

createTwin({ url: null, stream: 's/1', reducer: shelfReducer, validate: (state, action: ReturnType<typeof added>) => (state.items[action.id] ? 'taken' : null) })

// @ts-expect-error a twin, not its reducer
provideTwin(shelf.reducer)
// @ts-expect-error not options
provideTwin({ url: null, stream: 's/1', reducer: shelfReducer })
// @ts-expect-error another slice's reducer
const wrong: ActionReducerMap<{ page: { open: boolean } }> = { page: shelf.reducer }
void wrong
// @ts-expect-error the id is text
added({ id: 1 })
// @ts-expect-error the status is read only
injectTwinStatus(shelf).set(shelf.status)
