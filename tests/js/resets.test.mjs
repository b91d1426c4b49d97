/** A server that was reset, or restored from a backup: what was pending is held and told, and the app decides what becomes of it. */
import 'fake-indexeddb/auto'
import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { assert, equalsServer, isOnline, isSettled, rig, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { bumped, created, noted } from './models/orders.mjs'

const server = await startServer()
const order = id => created({ id, customer: 'Ann' })
const files = folder => readdirSync(folder).filter(name => name.startsWith('twinstore.db')).map(name => join(folder, name))

/** A twin with one confirmed order, and three actions that wait: what it was told is in `told`. */
async function waiting() {
  const made = rig({ server })
  const told = { reset: [], held: [] }
  for (const name of Object.keys(told)) made.twin.on(name, notice => told[name].push(notice))
  await made.twin.confirmed(made.store.dispatch(order('1')))
  made.twin.disconnect()
  const actions = [order('2'), bumped('1'), noted('x')].map(action => made.store.dispatch(action))
  await Promise.all(actions.map(action => made.twin.durable(action)))
  return { ...made, told, actions }
}

/** The server is taken away, its files are changed by `work`, and it comes back. */
async function meanwhile(work) {
  await server.takeAway()
  work()
  await server.bringBack()
}
const wipe = () => files(server.folder).forEach(file => rmSync(file))

test('reset: all that was pending is held, told, listed and exported; sent again, edited or dropped, each by the app’s word', async () => {
  const { twin, stream, store, orders, told, actions } = await waiting()
  await meanwhile(wipe)
  twin.connect()
  await until('the reset is told', () => told.reset.length > 0)
  await isOnline(twin)
  assert.deepEqual(told.reset.map(({ held }) => held), [3])
  assert.deepEqual(told.held.map(({ reason, action }) => [reason, action]), actions.map(action => ['reset', action]))
  assert.deepEqual([twin.status.pending, twin.status.held], [0, 3])
  assert.deepEqual(twin.pending().map(({ state, reason }) => [state, reason]), Array(3).fill(['held', 'reset']))
  assert.deepEqual(twin.export().trim().split('\n').map(line => JSON.parse(line).action), JSON.parse(JSON.stringify(actions)))
  await until('the server’s state is here', () => orders().entities[1] === undefined)
  assert.deepEqual(await server.events(stream), [], 'nothing is sent without the app’s word')

  const [second, bump, note] = twin.pending()
  assert.equal(await twin.confirmed(twin.retry(second.id)), 1)
  assert.equal(await twin.confirmed(twin.edit(note.id, noted('y'))), 2)
  twin.drop(bump.id)
  assert.deepEqual([twin.status.held, twin.pending()], [0, []])
  assert.equal(await twin.confirmed(store.dispatch(bumped('2'))), 3)
  assert.deepEqual([orders().entities[2].count, orders().note], [1, 'y'])
  await equalsServer(orders(), server, stream)
})

test('held over a new start of the app, and still not sent by itself', async () => {
  const { twin, stream, told } = await waiting()
  await meanwhile(wipe)
  twin.connect()
  await until('the reset is told', () => told.reset.length > 0)
  await until('it is held', () => twin.status.held === 3)
  await isSettled(twin)
  twin.close()
  const next = rig({ server, stream })
  await next.twin.ready
  await isOnline(next.twin)
  assert.deepEqual(next.twin.pending().map(({ state, reason }) => [state, reason]), Array(3).fill(['held', 'reset']))
  assert.deepEqual(await server.events(stream), [])
})

test('a backup under the same log: what it lacks is no place to go on from; the state is the server’s, what was pending is held', async () => {
  const made = rig({ server })
  const { twin, stream, store, orders } = made
  const resets = []
  twin.on('reset', notice => resets.push(notice))
  await twin.confirmed(store.dispatch(order('1')))
  const backup = join(server.folder, 'backup')
  await meanwhile(() => files(server.folder).forEach(file => cpSync(file, join(backup, file.split('/').at(-1)))))
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('2')))
  twin.disconnect()
  const late = store.dispatch(noted('late'))
  await meanwhile(() => {
    wipe()
    cpSync(backup, server.folder, { recursive: true })
  })
  await server.remote(stream, bumped('1'))
  await server.remote(stream, bumped('1'))
  twin.connect()
  await until('the reset is told', () => resets.length > 0)
  await until('the server’s state is here', () => orders().entities[1]?.count === 2)
  assert.deepEqual([resets[0].held, twin.pending().map(({ action, reason }) => [action, reason])], [1, [[late, 'reset']]])
  await equalsServer(orders(), server, stream)
  assert.equal(await twin.confirmed(twin.retry(twin.pending()[0].id)), 4)
  await equalsServer(orders(), server, stream)
})
