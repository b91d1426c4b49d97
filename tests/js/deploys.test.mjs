/** A server that is deployed with a model of a newer schema, while apps of the old one and of the new one go on. */
import 'fake-indexeddb/auto'
import { rmSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { MODELS, startBackend } from '../e2e/lib/backend.mjs'
import { assert, canonical, isOnline, isSettled, newStream, settle, storeOf, twinOf, until } from './lib/rig.mjs'

/** The model in its two schemas: a count is a number at first, and then an object that also says how often. */
const V1 = `
const reducer = (state = { count: 0 }, action) => (action.type === 'tally/add' ? { count: state.count + action.by } : state)
export default reducer`
const V2 = `
export const schema = 2
const reducer = (state = { tally: { sum: 0, times: 0 } }, action) =>
  action.type === 'tally/add' ? { tally: { sum: state.tally.sum + action.payload, times: state.tally.times + 1 } } : state
export default reducer
export const upcast = action => (action.type === 'tally/add' && 'by' in action ? { type: action.type, payload: action.by, meta: action.meta } : action)
export const migrate = (state, schema) => (schema < 2 ? { tally: { sum: state.count, times: 0 } } : state)
export const records = state => ({ tally: state.tally })`

const folder = mkdtempSync(join(tmpdir(), 'twinstore-deploys-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'tally.js')
const [one, two] = await Promise.all([V1, V2].map(source => import(`data:text/javascript,${encodeURIComponent(source)}`)))
const ADD = { 1: by => ({ type: 'tally/add', by }), 2: payload => ({ type: 'tally/add', payload }) }

/** A server with that model, which can be deployed anew over the same store. */
async function serve(source) {
  writeFileSync(file, source)
  MODELS.deployed = file
  const server = await startBackend({ models: ['deployed'] })
  after(() => server.close())
  return Object.assign(server, {
    deploy: async source => {
      await server.takeAway()
      writeFileSync(file, source)
      await server.bringBack()
    },
  })
}

/** An app of that schema; `faults`: what it was told of a state that is not the server's. */
async function app(server, schema, stream, options = {}) {
  const model = schema === 1 ? one : two
  const faults = []
  const made = twinOf({ server, model: 'deployed', reducer: model.default, schema, stream, sync: 'tally/', upcast: model.upcast, migrate: model.migrate, ...options })
  made.twin.on('diverged', fault => faults.push(fault))
  const { store } = storeOf(made.twin, { reducer: { tally: made.twin.reducer }, checks: false })
  await made.twin.ready
  return { ...made, store, faults, state: () => store.getState().tally, add: n => store.dispatch(ADD[schema](n)) }
}

/** How many states the server gave to twins since it was started. */
async function statesGiven(server) {
  const metrics = await (await fetch(`${server.httpUrl}/metrics`)).text()
  return Number(/^twinstore_snapshots_sent_total (\d+)$/m.exec(metrics)[1])
}

test('a deploy under load: old apps go on sending, new ones take the migrated state once, nobody has diverged', async () => {
  const server = await serve(V1)
  const stream = newStream('deployed')
  const apps = []
  for (let i = 0; i < 4; i++) apps.push(await app(server, 1, stream, { name: `old-${i}` }))
  let sent = 0
  const dispatch = () => apps.forEach(app => (app.add(1), sent++))
  const load = setInterval(dispatch, 5)
  after(() => clearInterval(load))
  await until('some are in the log', async () => (await server.events(stream)).length > 40)
  await server.deploy(V2)
  for (let i = 0; i < 4; i++) apps.push(await app(server, 2, stream, { name: `new-${i}` }))
  await until('old and new apps dispatch', async () => (await server.events(stream)).filter(event => event.schema === 2).length > 80)
  clearInterval(load)
  await until('all is in the log', async () => (await server.events(stream)).length >= sent)
  const events = await server.events(stream)
  assert.equal(events.length, sent)
  assert.equal(new Set(events.map(({ client, n }) => `${client}/${n}`)).size, sent)
  const state = await server.state(stream)
  assert.equal(state.tally.sum, sent)
  assert.equal(state.tally.times, events.filter(({ schema }) => schema === 2).length)
  for (const app of apps.slice(4)) {
    await isSettled(app.twin, sent)
    assert.equal(canonical(app.state()), canonical(state))
    assert.deepEqual(app.faults, [])
  }
  for (const { twin, faults } of apps.slice(0, 4)) {
    assert.equal(twin.status.outdated, true)
    assert.deepEqual(faults, [])
  }
  // No storm: the deploy gave the old apps none, and each new one its first.
  assert.equal(await statesGiven(server), 4)
})

test('an app that is updated shows its stored state migrated, offline too, and then takes the server’s once', async () => {
  const server = await serve(V1)
  const stream = newStream('deployed')
  // So that the old app has a state to begin with, and events behind it.
  await server.post(stream, ADD[1](5))
  const old = await app(server, 1, stream)
  for (let i = 0; i < 3; i++) await old.twin.confirmed(old.add(10))
  old.twin.close()
  await server.deploy(V2)

  const offline = await app(undefined, 2, stream)
  assert.equal(offline.state().tally.sum, 35)
  offline.twin.close()

  const updated = await app(server, 2, stream)
  await isSettled(updated.twin, 4)
  // What the server folded with the old model has no times; here each of the three was folded anew until it said so.
  await until('it shows the server’s', async () => canonical(updated.state()) === canonical(await server.state(stream)))
  assert.deepEqual(updated.state(), { tally: { sum: 35, times: 0 } })
  await updated.twin.confirmed(updated.add(1))
  assert.deepEqual(updated.state(), { tally: { sum: 36, times: 1 } })
  assert.deepEqual(updated.faults, [])
  updated.twin.close()

  // Once: now the stored state is of the new schema, and events go on from there.
  const again = await app(server, 2, stream)
  assert.deepEqual(again.state(), { tally: { sum: 36, times: 1 } })
  const before = again.calls.reducer
  await server.post(stream, ADD[2](5))
  await isSettled(again.twin, 6)
  assert.ok(again.calls.reducer > before, 'an event, not a state')
  assert.deepEqual(again.state(), { tally: { sum: 41, times: 2 } })
  assert.deepEqual(again.faults, [])
})

test('without `migrate` in the app, and with one that throws: the reducer’s initial state until the server is there', async () => {
  const server = await serve(V1)
  const stream = newStream('deployed')
  const old = await app(server, 1, stream)
  await old.twin.confirmed(old.add(7))
  old.twin.close()
  await server.deploy(V2)
  const migrate = () => {
    throw new Error('no')
  }
  const updated = await app(undefined, 2, stream, { migrate, upcast: migrate })
  assert.deepEqual(updated.state(), { tally: { sum: 0, times: 0 } })
  updated.twin.close()
  const online = await app(server, 2, stream, { migrate })
  await isOnline(online.twin)
  await until('the server’s state is shown', () => online.state().tally.sum === 7)
  await settle(10)
  assert.deepEqual(online.faults, [])
})

test('before the first action of the new schema the old model can be deployed again', async () => {
  const server = await serve(V1)
  const stream = newStream('deployed')
  await server.post(stream, ADD[1](1))
  await server.deploy(V2)
  assert.deepEqual(await server.state(stream), { tally: { sum: 1, times: 0 } })
  await server.deploy(V1)
  await server.post(stream, ADD[1](1))
  assert.deepEqual(await server.state(stream), { count: 2 })
  await server.deploy(V2)
  await server.post(stream, ADD[2](1))
  assert.deepEqual(await server.state(stream), { tally: { sum: 3, times: 1 } })
  await server.deploy(V1)
  await assert.rejects(server.post(stream, ADD[1](1)), /halted/)
  await server.deploy(V2)
  assert.deepEqual(await server.state(stream), { tally: { sum: 3, times: 1 } })
})
