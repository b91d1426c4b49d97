/** Actions that wait while the app is updated: brought up to date by the app that reads them, or by the server that takes them. */
import 'fake-indexeddb/auto'
import { test } from 'node:test'
import { assert, equalsServer, isSettled, newStream, storeOf, twinOf } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import counter, { added } from './models/counter.mjs'
import { upcast } from './models/renamed.mjs'

const server = await startServer(['renamed'])
const type = 'counter/added'
const SHAPES = { 1: by => ({ type, payload: { by } }), 2: amount => ({ type, payload: { amount } }), 3: added }
/** The app's reducer in each schema. */
const REDUCERS = {
  1: (state = { value: 0 }, action) => (action.type === type ? { value: state.value + action.payload.by } : state),
  2: (state = { value: 0 }, action) => (action.type === type ? { value: state.value + action.payload.amount } : state),
  3: (state, action) => counter(state, typeof action.payload === 'object' ? { type: 'unknown' } : action),
}

/** The app in a schema, its stored state back. */
async function app(schema, stream, options = {}) {
  const made = twinOf({ model: 'renamed', reducer: REDUCERS[schema], schema, stream, ...options })
  const { store } = storeOf(made.twin, { reducer: { counter: made.twin.reducer } })
  await made.twin.ready
  return { ...made, store, value: () => store.getState().counter.value }
}

/** Dispatches offline in that schema, and ends. */
async function leaves(schema, stream, payloads) {
  const { twin, store } = await app(schema, stream, { sync: 'counter/' })
  for (const payload of payloads) await twin.durable(store.dispatch({ type, payload }))
  twin.close()
}
const shapes = (schema, count) => Array.from({ length: count }, (_, i) => SHAPES[schema](i + 1).payload)

for (const [by, options] of Object.entries({ 'the app': { upcast }, 'the server': {} }))
  test(`500 actions of two older schemas wait: ${by} brings them up to date, all arrive once, in order`, async () => {
    const stream = newStream('renamed')
    await leaves(1, stream, shapes(1, 250))
    await leaves(2, stream, shapes(2, 250))
    const { twin, store, value } = await app(3, stream, { server, ...options })
    const sum = 2 * (250 * 251) / 2
    if (options.upcast) assert.equal(value(), sum, 'shown before the server is asked')
    assert.equal(twin.status.pending, 500)
    store.dispatch(added(5))
    await isSettled(twin, 501)
    assert.equal(value(), sum + 5)
    const events = await server.events(stream)
    assert.deepEqual(events.map(({ action }) => action.payload), [...shapes(3, 250), ...shapes(3, 250), 5])
    assert.ok(events.every(({ schema, action, client, n }) => schema === 3 && action.meta.twin.client === client && action.meta.twin.n === n))
    await equalsServer(store.getState().counter, server, stream)
  })

test('what the app cannot bring up to date is held, blocks nothing, and is held still in the next run', async () => {
  const stream = newStream('renamed')
  await leaves(1, stream, [{ by: 1 }, { poison: true }, { odd: 'nothing' }, { odd: 'type' }, { by: 2 }])
  const first = await app(3, stream, { server, upcast })
  assert.deepEqual(first.twin.pending().map(({ state, reason }) => reason ?? state).sort(), ['queued', 'queued', 'schema', 'schema', 'schema'])
  await isSettled(first.twin, 2)
  assert.equal(first.value(), 3)
  first.twin.close()
  const second = await app(3, stream, { server, upcast })
  await isSettled(second.twin, 2)
  assert.deepEqual([second.twin.status.held, second.value()], [3, 3])
  const edited = second.twin.edit(second.twin.pending()[0].id, added(10))
  assert.equal(await second.twin.confirmed(edited), 3)
  assert.deepEqual([second.twin.status.held, second.value()], [2, 13])
})

test('what a newer app stored is held while an older one runs, and sent by the newer one when it is back', async () => {
  const stream = newStream('renamed')
  await leaves(3, stream, [1, 2])
  const older = await app(2, stream, { server, upcast })
  assert.deepEqual(older.twin.pending().map(({ reason }) => reason), ['schema', 'schema'])
  assert.equal(older.value(), 0)
  await isSettled(older.twin)
  assert.deepEqual(await server.events(stream), [])
  older.twin.close()
  const newer = await app(3, stream, { server, upcast })
  assert.equal(newer.value(), 3)
  await isSettled(newer.twin, 2)
  await equalsServer(newer.store.getState().counter, server, stream)
})

test('what the server’s model cannot bring up to date is rejected, and blocks nothing', async () => {
  const stream = newStream('renamed')
  await leaves(1, stream, [{ by: 1 }, { poison: true }, { loops: true }, { odd: 'nothing' }, { odd: 'type' }, { by: 2 }])
  const { twin, store, value } = await app(3, stream, { server })
  const codes = []
  twin.on('rejected', ({ code }) => codes.push(code))
  await isSettled(twin, 6)
  assert.deepEqual(codes, ['threw', 'limit', 'threw', 'threw'])
  assert.equal(value(), 3)
  await equalsServer(store.getState().counter, server, stream)
})
