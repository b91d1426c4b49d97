/** What must and must not compile with plain Redux: checked by `tsc`, never run. */
import { applyMiddleware, combineReducers, legacy_createStore, type Action, type Reducer } from 'redux'
import { createTwin, init, initSync, isTwinError, type PendingAction, type Stamp, type Twin, type TwinOptions, type TwinStatus } from 'twinstore'

type Equal<X, Y> = (<T>() => T extends X ? 1 : 2) extends <T>() => T extends Y ? 1 : 2 ? true : false
const holds = <T extends true>(): T | void => {}

interface Shelf {
  items: Record<string, number>
}
type ShelfAction = { type: 'added'; id: string } | { type: 'removed'; id: string }
const shelfReducer = (state: Shelf = { items: {} }, action: ShelfAction): Shelf => (action.type === 'added' ? { items: { [action.id]: 1 } } : state)
const pageReducer: Reducer<number> = (state = 0) => state

// — The state is inferred from the reducer; the twin's reducer and middleware fit without casts.

const shelf = createTwin({ url: 'wss://example.com/sync', stream: 'shelf/one', reducer: shelfReducer })
holds<Equal<typeof shelf, Twin<Shelf, { type: string }>>>()
const whole = legacy_createStore(shelf.reducer, applyMiddleware(shelf.middleware))
holds<Equal<ReturnType<typeof whole.getState>, Shelf>>()
const combined = legacy_createStore(combineReducers({ shelf: shelf.reducer, page: pageReducer }), applyMiddleware(shelf.middleware))
holds<Equal<ReturnType<typeof combined.getState>['shelf'], Shelf>>()
holds<Equal<ReturnType<typeof combined.getState>['page'], number>>()
combined.dispatch({ type: 'added', id: '1' })
combined.replaceReducer(combineReducers({ shelf: shelf.reducer, page: pageReducer }))
// @ts-expect-error the state is the slice's
void combined.getState().shelf.entities

// — Options.

const all: TwinOptions<Shelf, ShelfAction> = {
  url: null, stream: 'shelf/one', reducer: shelfReducer, validate: (state, action) => (action.id in state.items ? 'there already' : undefined),
  sync: ['shelf/', 'page/'], routing: 'server', user: 'ann', token: async () => 'token', storage: 'memory', durability: 'strict', name: 'shelf',
  schema: 2, snapshot: { seq: 3, state: { items: {} } }, announce: 'shelf/changed', upcast: (action, schema) => (schema < 2 ? { ...action, type: 'added' } : action), migrate: state => state, coalesce: (a, b) => (a.type === 'added' && b.type === 'added' ? b : undefined), limits: { burst: 8, undecided: 10 },
}
createTwin(all)
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, sync: 'shelf/', token: 'token' })
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, sync: action => action.type.startsWith('shelf/'), token: () => 'token' })
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, validate: (state, action: ShelfAction) => (state.items[action.id] ? 'taken' : null) })
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, validate: () => {} })

// @ts-expect-error the url must be said: null is "never connects"
createTwin({ stream: 's/1', reducer: shelfReducer })
// @ts-expect-error a stream is text
createTwin({ url: null, stream: 42, reducer: shelfReducer })
// @ts-expect-error a reducer is needed
createTwin({ url: null, stream: 's/1' })
// @ts-expect-error no such option
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, routed: 'server' })
// @ts-expect-error no such routing
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, routing: 'later' })
// @ts-expect-error no such storage
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, storage: 'disk' })
// @ts-expect-error no such durability
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, durability: 'forever' })
// @ts-expect-error a prefix is text
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, sync: [/shelf/] })
// @ts-expect-error no such limit
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, limits: { actions: 5 } })
// @ts-expect-error an option is given or left out, not undefined
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, user: undefined })
// @ts-expect-error the snapshot is a state of that reducer
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, snapshot: { seq: 1, state: { other: 1 } } })
// @ts-expect-error the state of `validate` is the reducer's, which `validate` does not widen
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, validate: (state: { other: number }) => (state.other ? 'no' : undefined) })
// @ts-expect-error a reason is text
createTwin({ url: null, stream: 's/1', reducer: shelfReducer, validate: () => 5 })
// @ts-expect-error an action has a type
createTwin<Shelf, { id: string }>(all)

// — The twin.

const twin: Twin<Shelf, ShelfAction> = createTwin(all)
holds<Equal<typeof twin.status, TwinStatus>>()
holds<Equal<Awaited<ReturnType<typeof twin.confirmed>>, number>>()
holds<Equal<ReturnType<typeof twin.pending>, PendingAction<ShelfAction>[]>>()
const sent = whole.dispatch({ type: 'added', id: '1' })
void twin.confirmed(sent).then(seq => seq.toFixed())
void twin.durable(sent)
twin.on('rejected', ({ reason, seq, code, action }) => [reason.length, seq.toFixed(), code.length, action.id])
twin.on('status', ({ link }) => link === 'online')
const stop: () => void = twin.subscribe(() => twin.status.pending.toFixed())
stop()
for (const { id, state } of twin.pending()) if (state === 'held') twin.retry(id)
twin.replaceReducer(shelfReducer)
void twin.forget().then(() => twin.name)
void twin.open({ user: 'ann' }).then(() => twin.open({ stream: 's/2' }))
void twin.open(null)
holds<Equal<typeof twin.stream, string | undefined>>()
// @ts-expect-error a stream is text
void twin.open({ stream: 7 })
createTwin({ url: null, name: 'later', reducer: shelfReducer })
const stamp = ({ meta }: { meta: { twin: Stamp } }) => [meta.twin.client, meta.twin.n]
stamp({ meta: { twin: { id: 'a', at: 0, client: 'c', n: 1 } } })

// @ts-expect-error no such notice
twin.on('arrived', () => {})
// @ts-expect-error a rejection says no such thing
twin.on('rejected', ({ cause }) => cause)
// @ts-expect-error an action is an object
void twin.confirmed('added')
// @ts-expect-error by its id
twin.drop(5)
// @ts-expect-error no such state
export const isOpen = twin.status.link === 'open'
// @ts-expect-error not to be set
twin.status = twin.status
// @ts-expect-error another state's reducer
twin.replaceReducer((state: number | undefined) => state ?? 0)

// — Errors and loading.

try {
  combined.dispatch({ type: 'added' })
} catch (error) {
  if (isTwinError(error, 'invalid')) error.message.length
  if (isTwinError(error)) error.code.length
  // @ts-expect-error not known before it is asked
  void error.code
}
void init()
void init('/twinstore_bg.wasm')
void init(new URL('https://example.com/twinstore_bg.wasm'))
initSync(new Uint8Array())
// @ts-expect-error left out where it lies beside the package
void init(null)

const foreign: Action = sent
void foreign
