/** Redux Toolkit round a twin: its checks, thunks, listeners, batches and queries. */
import { test } from 'node:test'
import {
  combineReducers, configureStore, createAsyncThunk, createListenerMiddleware, createSlice, prepareAutoBatched,
} from '@reduxjs/toolkit'
import { createApi, fetchBaseQuery } from '@reduxjs/toolkit/query'
import { PATIENT, assert, complaints, equalsServer, isOnline, isSettled, newStream, rig, settle, storeOf, twinOf, ui, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { bumped, created } from './models/orders.mjs'
import counter, { added } from './models/counter.mjs'

const server = await startServer(['orders', 'counter'])
const ann = { id: '1', customer: 'Ann' }

for (const place of ['slice', 'whole state'])
  test(`the checks for plain and unchanged values are silent across confirms, rejections and rebases: ${place}`, async () => {
    const { twin, stream } = twinOf({ server })
    const whole = place === 'whole state'
    const { store, rebases } = storeOf(twin, whole ? { reducer: twin.reducer } : {})
    const orders = () => (whole ? store.getState() : store.getState().orders)
    await isOnline(twin)
    const heard = await complaints(async () => {
      for (let i = 0; i < 20; i++) store.dispatch(created({ id: `${i}`, customer: 'Ann' }))
      await server.remote(stream, created({ id: 'theirs', customer: 'Bob' }))
      await isSettled(twin, 21)
      store.dispatch(created({ id: 'no', customer: 'nobody' }))
      store.dispatch(bumped('theirs'))
      await isSettled(twin, 23)
    })
    assert.deepEqual(heard, [])
    assert.ok(rebases() >= 2, 'there were rebases to complain about')
    await equalsServer(orders(), server, stream)
  })

test('the same with the twin before the checks', async () => {
  const { twin, stream } = twinOf({ server })
  const store = configureStore({
    reducer: { orders: twin.reducer, ui: ui.reducer }, middleware: all => all(PATIENT).prepend(twin.middleware), devTools: false,
  })
  await isOnline(twin)
  const heard = await complaints(async () => {
    await twin.confirmed(store.dispatch(created(ann)))
    await server.remote(stream, bumped('1'))
    await isSettled(twin, 2)
    assert.equal(await store.dispatch(async () => 42), 42)
  })
  assert.deepEqual(heard, [])
  await equalsServer(store.getState().orders, server, stream)
})

test('thunks give their results; createAsyncThunk: its lifecycle is not twinned, what it dispatches is', async () => {
  const { twin, stream, store, below } = rig({ server })
  assert.equal(store.dispatch(() => 42), 42)
  const load = createAsyncThunk('orders/load', async (id, { dispatch }) => {
    const seq = await twin.confirmed(dispatch(created({ id, customer: 'Ann' })))
    return { id, seq }
  })
  assert.deepEqual(await store.dispatch(load('9')).unwrap(), { id: '9', seq: 1 })
  assert.deepEqual(below, ['orders/load/pending', 'orders/created', 'orders/load/fulfilled'])
  assert.deepEqual(await server.types(stream), ['orders/created'])
  const fail = createAsyncThunk('orders/fail', async (_, { dispatch }) => twin.confirmed(dispatch(bumped('9'))).then(() => { throw new Error('no luck') }))
  await assert.rejects(store.dispatch(fail()).unwrap(), { message: 'no luck' })
})

test('a thunk may wait for a rejection and say its reason', async () => {
  const { twin, store } = rig({ server })
  await isOnline(twin)
  const order = createAsyncThunk('order', async (payload, { dispatch, rejectWithValue }) => {
    try {
      return await twin.confirmed(dispatch(created(payload)))
    } catch (error) {
      return rejectWithValue(error.reason)
    }
  })
  const outcome = await store.dispatch(order({ id: '1', customer: 'nobody' }))
  assert.equal(outcome.payload, 'nobody orders nothing')
  assert.equal(outcome.meta.requestStatus, 'rejected')
})

test('listeners before the twin run once an action, with the action in the state', async () => {
  const listeners = createListenerMiddleware()
  const heard = []
  listeners.startListening({
    actionCreator: created,
    effect: (action, api) => void heard.push([action.payload.id, api.getState().orders.entities[action.payload.id] !== undefined]),
  })
  const { twin, stream, store } = rig({ server, store: { before: [listeners.middleware] } })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(created(ann)))
  await server.remote(stream, created({ id: '2', customer: 'Bob' }))
  await isSettled(twin, 2)
  await settle()
  assert.deepEqual(heard, [['1', true]], 'neither the confirmation nor the other client’s action is heard')
})

test('a listener may dispatch a twinned action and await its verdict', async () => {
  const listeners = createListenerMiddleware()
  const made = rig({ server, store: { before: [listeners.middleware] } })
  let outcome
  listeners.startListening({
    actionCreator: created,
    effect: async (action, api) => { outcome = await made.twin.confirmed(api.dispatch(bumped(action.payload.id))) },
  })
  made.store.dispatch(created(ann))
  assert.equal(await until('the listener has its verdict', () => outcome), 2)
  await equalsServer(made.orders(), server, made.stream)
})

test('autoBatch: subscribers hear of a batch once, and of rebases as ever', async () => {
  const stream = newStream('counter')
  const { reducer, actions } = createSlice({
    name: 'counter', initialState: { value: 0 },
    reducers: { added: { reducer: (state, { payload }) => void (state.value += payload), prepare: prepareAutoBatched() } },
  })
  const { twin } = twinOf({ server, stream, reducer })
  const { store } = storeOf(twin, { reducer: { counter: twin.reducer } })
  await isOnline(twin)
  let told = 0
  store.subscribe(() => told++)
  for (let i = 1; i <= 5; i++) store.dispatch(actions.added(i))
  assert.equal(told, 0, 'not in the same task')
  assert.equal(store.getState().counter.value, 15)
  await isSettled(twin, 5)
  await until('subscribers are told', () => told === 1, { seen: () => told })
  await server.remote(stream, added(100))
  await isSettled(twin, 6)
  assert.equal(told, 2)
  await equalsServer(store.getState().counter, server, stream)
  assert.equal(store.getState().counter.value, 115)
})

test('RTK Query and other slices work beside a twin and never reach the log', async () => {
  const api = createApi({
    baseQuery: fetchBaseQuery({ baseUrl: `${server.httpUrl}/`, responseHandler: 'text' }),
    endpoints: build => ({
      health: build.query({ query: () => 'healthz' }),
      missing: build.query({ query: () => 'streams/none%2Fnone/state' }),
      post: build.mutation({ query: () => ({ url: 'nowhere', method: 'POST' }) }),
    }),
  })
  const { twin, stream } = twinOf({ server })
  const store = configureStore({
    reducer: combineReducers({ orders: twin.reducer, ui: ui.reducer, [api.reducerPath]: api.reducer }),
    middleware: all => all(PATIENT).concat(api.middleware, twin.middleware),
    devTools: false,
  })
  await isOnline(twin)
  const heard = await complaints(async () => {
    const health = store.dispatch(api.endpoints.health.initiate())
    assert.match((await health).data, /ok/)
    assert.ok((await store.dispatch(api.endpoints.missing.initiate())).error.status >= 400)
    assert.ok((await store.dispatch(api.endpoints.post.initiate())).error)
    store.dispatch(ui.actions.toggled())
    store.dispatch({ type: 'login/submit', payload: { password: 'secret' } })
    await twin.confirmed(store.dispatch(created(ann)))
    health.unsubscribe()
    // Its timers would keep the process.
    store.dispatch(api.util.resetApiState())
  })
  assert.deepEqual(heard, [])
  assert.equal(store.getState().ui.toggles, 1)
  assert.deepEqual(await server.types(stream), ['orders/created'])
  assert.equal((await server.events(stream))[0].action.payload.customer, 'Ann')
})

test('a twin of a whole createSlice: 200 actions at once, with others’ between, end as the server’s', async () => {
  const stream = newStream('counter')
  const { twin } = twinOf({ server, stream, reducer: counter })
  const { store } = storeOf(twin, { reducer: { counter: twin.reducer } })
  await isOnline(twin)
  const theirs = []
  for (let i = 0; i < 200; i++) {
    store.dispatch(added(i))
    if (i % 50 === 0) theirs.push(server.remote(stream, added(1000)))
  }
  await Promise.all(theirs)
  await isSettled(twin, 204)
  assert.equal(store.getState().counter.value, 199 * 100 + 4000)
  await equalsServer(store.getState().counter, server, stream)
})
