/** Apps and servers of different ages. */
import { test } from 'node:test'
import { assert, equalsServer, isOnline, isSettled, settle, storeOf, twinOf, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import counter, { added } from './models/counter.mjs'

const server = await startServer(['versioned'])
const rig = schema => {
  const made = twinOf({ server, model: 'versioned', reducer: counter, schema })
  return { ...made, ...storeOf(made.twin, { reducer: { counter: made.twin.reducer } }) }
}

test('of one age: the action and its event say the schema', async () => {
  const { twin, stream, store } = rig(2)
  await twin.confirmed(store.dispatch(added(1)))
  assert.equal(twin.status.outdated, false)
  assert.equal((await server.events(stream))[0].schema, 2)
  await equalsServer(store.getState().counter, server, stream)
})

test('an app older than the server says `outdated`; what it dispatches is taken', async () => {
  const { twin, stream, store } = rig(1)
  await isOnline(twin)
  assert.equal(twin.status.outdated, true)
  assert.equal(await twin.confirmed(store.dispatch(added(1))), 1)
  assert.equal((await server.events(stream)).length, 1)
})

test('an app newer than the server waits, says why, and loses nothing', async () => {
  const { twin, stream, store } = rig(3)
  const action = store.dispatch(added(1))
  await until('it says why', () => twin.status.lastError?.code === 'schema', { seen: () => twin.status })
  await settle(20)
  assert.deepEqual([twin.status.pending, store.getState().counter.value], [1, 1])
  assert.deepEqual(await server.events(stream), [])
  assert.equal(twin.pending()[0].action, action)
})

test('an unknown model, and a stream that the server does not take, are said; the app works on', async () => {
  const { twin } = twinOf({ server, model: 'nowhere', reducer: counter })
  const { store } = storeOf(twin, { reducer: { counter: twin.reducer } })
  store.dispatch(added(1))
  await until('it is said', () => twin.status.lastError?.code === 'unknown-model', { seen: () => twin.status })
  assert.equal(store.getState().counter.value, 1)
  await isSettled(rig(2).twin)
})
