/** What must and must not compile with Redux Toolkit: checked by `tsc`, never run. */
import { combineSlices, configureStore, createAsyncThunk, createListenerMiddleware, createSlice, type PayloadAction, type ThunkDispatch } from '@reduxjs/toolkit'
import { createApi, fetchBaseQuery } from '@reduxjs/toolkit/query'
import { createTwin, type Twin } from 'twinstore'

type Equal<X, Y> = (<T>() => T extends X ? 1 : 2) extends <T>() => T extends Y ? 1 : 2 ? true : false
const holds = <T extends true>(): T | void => {}

interface Orders {
  entities: Record<string, { id: string; count: number }>
}
const slice = createSlice({
  name: 'orders',
  initialState: { entities: {} } as Orders,
  reducers: { created: (state, { payload }: PayloadAction<string>) => void (state.entities[payload] = { id: payload, count: 0 }) },
})
const ui = createSlice({ name: 'ui', initialState: { open: false }, reducers: { toggled: state => void (state.open = !state.open) } })
const api = createApi({ baseQuery: fetchBaseQuery(), endpoints: build => ({ one: build.query<string, void>({ query: () => '/' }) }) })
const listeners = createListenerMiddleware()

const orders = createTwin({ url: 'wss://example.com/sync', stream: 'orders/acme', reducer: slice.reducer })
holds<Equal<typeof orders, Twin<Orders, { type: string }>>>()

// — A slice beside others, with thunks, listeners and queries.

const store = configureStore({
  reducer: { orders: orders.reducer, ui: ui.reducer, [api.reducerPath]: api.reducer },
  middleware: all => all().prepend(listeners.middleware).concat(api.middleware, orders.middleware),
})
type State = ReturnType<typeof store.getState>
holds<Equal<State['orders'], Orders>>()
holds<Equal<State['ui'], { open: boolean }>>()
const sent = store.dispatch(slice.actions.created('1'))
holds<Equal<typeof sent, PayloadAction<string, 'orders/created'>>>()
void orders.confirmed(sent).then(seq => seq.toFixed())
const load = createAsyncThunk('orders/load', async (id: string, { dispatch }) => orders.confirmed(dispatch(slice.actions.created(id))))
void store.dispatch(load('1')).unwrap().then(seq => seq.toFixed())
void store.dispatch(api.endpoints.one.initiate())
const dispatch: ThunkDispatch<State, unknown, { type: string }> = store.dispatch
void dispatch
// @ts-expect-error the payload is text
store.dispatch(slice.actions.created(1))
// @ts-expect-error the state is the slice's
void store.getState().orders.list

// — The whole state, two twins, and prepended.

const whole = configureStore({ reducer: orders.reducer, middleware: all => all().concat(orders.middleware) })
holds<Equal<ReturnType<typeof whole.getState>, Orders>>()
void whole.dispatch(load('1')).unwrap()
const page = createTwin({ url: null, stream: 'page/1', reducer: ui.reducer, sync: 'ui/' })
const both = configureStore({ reducer: { orders: orders.reducer, page: page.reducer }, middleware: all => all().concat(orders.middleware, page.middleware) })
holds<Equal<ReturnType<typeof both.getState>['page'], { open: boolean }>>()
const before = configureStore({ reducer: orders.reducer, middleware: all => all().prepend(orders.middleware) })
void before.dispatch(async () => 5).then(five => five.toFixed())
const combined = combineSlices({ orders: orders.reducer }, ui)
holds<Equal<ReturnType<typeof combined>['orders'], Orders>>()

// — `validate` is told the state and, if it says so, the action.

createTwin({
  url: null, stream: 'orders/1', reducer: slice.reducer,
  validate: (state, action: PayloadAction<string>) => (state.entities[action.payload] ? 'there already' : undefined),
})
// @ts-expect-error no such part of the state
createTwin({ url: null, stream: 'orders/1', reducer: slice.reducer, validate: state => state.lines })
