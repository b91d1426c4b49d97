/**
 * The page that the tests drive: one store, one twin, told what to be by its address.
 *
 * `?model=&url=&stream=&options={…}&store=redux|toolkit&validate=1`; what happens is kept in `window.app`.
 */
import { configureStore } from '@reduxjs/toolkit'
import { applyMiddleware, createStore } from 'redux'
import { createTwin, init } from 'twinstore'

const MODULES = {
  journal: '/models/journal.js',
  tally: '/models/tally.js',
  clock: '/models/clock.js',
  salesOrder: '/examples/sales-order/reducer.js',
  workout: '/examples/workout/dist/model.js',
}
const query = new URLSearchParams(location.search)
const model = await import(MODULES[query.get('model')])

/** Every action that reaches a reducer below the middleware, but for Redux's own. */
const reduced = []
const spied = reducer => (state, action) => {
  if (!action.type.startsWith('@@')) reduced.push(action)
  return reducer(state, action)
}

await init()
const began = performance.now()
const twin = createTwin({
  url: query.get('url'),
  stream: query.get('stream'),
  reducer: model.default,
  ...(query.has('validate') ? { validate: model.validate } : {}),
  ...JSON.parse(query.get('options') ?? '{}'),
})
const store = query.get('store') === 'toolkit'
  ? configureStore({ reducer: spied(twin.reducer), middleware: all => all().concat(twin.middleware) })
  : createStore(spied(twin.reducer), applyMiddleware(twin.middleware))

/** Each state that subscribers saw, as JSON, without repetitions; short histories only. */
const states = []
const keep = query.has('states')
store.subscribe(() => {
  const state = keep ? JSON.stringify(store.getState()) : ''
  if (keep && states.at(-1) !== state) states.push(state)
})
const notices = []
for (const name of ['confirmed', 'rejected', 'held', 'diverged', 'storage', 'reset'])
  twin.on(name, notice => notices.push({ name, ...notice }))

window.app = {
  twin, store, model, reduced, states, notices,
  /** The outcome of `confirmed`, as something that crosses to the test. */
  verdict: action => twin.confirmed(action).then(seq => ({ seq }), error => ({ code: error.code, message: error.message })),
}
await twin.ready
window.app.bootMs = performance.now() - began
window.app.isReady = true
