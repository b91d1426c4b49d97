/** Twins and stores for tests: each in a stream of its own, watched, and closed when its file is through. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { configureStore, createSlice } from '@reduxjs/toolkit'
import { canonical } from '../../../examples/testing.js'
import { until } from '../../e2e/lib/until.mjs'
import ordersReducer, { created } from '../models/orders.mjs'
import { REBASE, createTwin, isTwinError } from './twinstore.mjs'

export { assert, canonical, until }
/** Lets everything run that is due already. */
export const settle = async (turns = 5) => {
  for (let i = 0; i < turns; i++) await setImmediate()
}

let streams = 0
export const newStream = (model = 'orders') => `${model}/${process.pid}-${++streams}`

/** A twin in a stream of its own that never connects, unless it is given a server. `calls` counts its reducer's. */
export function twinOf({ server, model = 'orders', reducer = ordersReducer, ...options } = {}) {
  const stream = options.stream ?? newStream(model)
  const calls = { reducer: 0 }
  const counted = (state, action) => {
    calls.reducer++
    return reducer(state, action)
  }
  const twin = createTwin({ url: server?.url ?? null, stream, reducer: counted, ...options })
  after(() => twin.close())
  return { twin, stream, calls }
}

/** A slice of an app that is no twin's business. It also listens to a twin's action, as slices do. */
export const ui = createSlice({
  name: 'ui',
  initialState: { toggles: 0, seen: [] },
  reducers: { toggled: state => void state.toggles++ },
  extraReducers: builder => builder.addCase(created, (state, action) => void state.seen.push(action.payload.id)),
})

/** Redux Toolkit's checks, without what they say of a slow machine. */
export const PATIENT = { serializableCheck: { warnAfter: Infinity }, immutableCheck: { warnAfter: Infinity } }

/**
 * A Redux Toolkit store with a twin in the slice `orders`, beside `ui`. `later`: middleware after the twin's.
 * `below`: the types of all that passed below the twin, in order.
 */
export function storeOf(twin, { later = [], before = [], reducer, checks = true, ...rest } = {}) {
  const below = []
  const spy = () => next => action => {
    below.push(action.type)
    return next(action)
  }
  const store = configureStore({
    reducer: reducer ?? { orders: twin.reducer, ui: ui.reducer },
    middleware: all => all(checks ? PATIENT : { serializableCheck: false, immutableCheck: false })
      .prepend(...before).concat(twin.middleware, ...later, spy),
    devTools: false,
    ...rest,
  })
  return { store, below, rebases: () => below.filter(type => type === REBASE).length, orders: () => store.getState().orders }
}

/** Twin and store together. */
export function rig({ store = {}, ...options } = {}) {
  const made = twinOf(options)
  return { ...made, ...storeOf(made.twin, store) }
}

export const isOnline = twin => until('the link is online', () => twin.status.link === 'online', { seen: () => twin.status })

/** Online, nothing pending, and as far as the log. */
export const isSettled = (twin, seq = 0) =>
  until(`online, nothing pending, at ${seq} or later`, () => {
    const { link, pending, cursor, head } = twin.status
    return link === 'online' && pending === 0 && cursor === head && cursor >= seq
  }, { seen: () => twin.status })

/** The slice, as canonical JSON, is the server's state. */
export async function equalsServer(state, server, stream) {
  assert.equal(canonical(state), canonical(await server.state(stream)))
}

/** Runs `work` and gives what it wrote to the console as errors and warnings. */
export async function complaints(work) {
  const { error, warn } = console
  const heard = []
  console.error = (...args) => heard.push(args.map(String).join(' '))
  console.warn = (...args) => heard.push(args.map(String).join(' '))
  try {
    await work()
  } finally {
    Object.assign(console, { error, warn })
  }
  return heard
}

/** That a TwinError with this code is thrown; `more` looks at it. */
export const twinError = (code, more = () => {}) => error => {
  assert.equal(error.name, 'TwinError', `not a TwinError: ${error.stack}`)
  assert.equal(error.code, code)
  assert.ok(error instanceof Error && error.message.length > 0)
  assert.ok(isTwinError(error, code) && !isTwinError(error, 'another'))
  more(error)
  return true
}

/** The reason of a promise's rejection; fails when it resolves. */
export const rejectionOf = promise => promise.then(
  value => assert.fail(`resolved with ${value}`),
  error => error,
)
