/**
 * Tabs of one profile in real Chromium: one of them leads, holds the only socket and sends for all; the others show the
 * same, and each hears of its own actions.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from './lib/browser.mjs'
import { stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

let backend, site, browser
stage({ backend: { models: ['journal', 'tally', 'salesOrder'] }, browsers: 1 }, parts => ({ backend, site, browser } = parts))

const say = (app, ...all) => app.x((app, all) => void all.forEach(payload => app.store.dispatch({ type: 'journal/add', payload })), all)
const role = async app => (await app.status()).role
const leads = app => until('it leads', async () => (await role(app)) === 'leader')

/** A profile, and how many sockets its pages have. */
async function world(stream, options = {}) {
  const profile = await browser.newContext()
  const sockets = new Set()
  profile.on('page', page => page.on('websocket', socket => {
    sockets.add(socket)
    for (const [target, name] of [[socket, 'close'], [page, 'close']]) target.on(name, () => sockets.delete(socket))
  }))
  return {
    profile,
    get sockets() {
      return sockets.size
    },
    open: async (model = 'journal') => openApp(profile, site, { backend, model, stream, options }),
  }
}

test('three tabs: one socket, one state after each dispatch, offline and online', async () => {
  const stream = 'journal/three'
  const profile = await world(stream)
  const tabs = [await profile.open(), await profile.open(), await profile.open()]
  for (const tab of tabs) await tab.online()
  assert.equal(profile.sockets, 1)
  assert.deepEqual((await Promise.all(tabs.map(role))).sort(), ['follower', 'follower', 'leader'])
  const list = []
  const round = async name => {
    for (const [i, tab] of tabs.entries()) {
      list.push(`${name} ${i}`)
      await say(tab, list.at(-1))
      for (const other of tabs) await other.shows({ list })
    }
  }
  await round('online')
  await backend.takeAway()
  for (const tab of tabs) await tab.offline()
  await round('offline')
  await tabs[1].reload()
  await tabs[1].shows({ list })
  await backend.bringBack()
  for (const tab of tabs) await tab.settled()
  await round('online again')
  for (const tab of tabs) await tab.settled()
  assert.deepEqual((await backend.events(stream)).map(event => event.action.payload), list)
  for (const tab of tabs) assert.deepEqual(tab.errors, [])
  assert.equal(profile.sockets, 1)
})

test('the leader is closed: another leads at once, by the lock that comes free, and goes on', async () => {
  const stream = 'journal/closed'
  const profile = await world(stream)
  await profile.profile.addInitScript(() => {
    globalThis.stolen = 0
    const { request } = LockManager.prototype
    LockManager.prototype.request = function (...args) {
      if (args[1]?.steal) globalThis.stolen++
      return request.apply(this, args)
    }
  })
  const [first, second, third] = [await profile.open(), await profile.open(), await profile.open()]
  for (const tab of [first, second, third]) await tab.online()
  await leads(first)
  await say(first, 'first')
  await say(third, 'third')
  await first.page.close()
  await until('another leads', async () => (await Promise.all([second, third].map(role))).includes('leader'))
  for (const tab of [second, third]) assert.equal(await tab.x(() => globalThis.stolen), 0, 'nobody waited for an answer first')
  await say(second, 'second')
  for (const tab of [second, third]) await tab.settled()
  const list = (await backend.events(stream)).map(event => event.action.payload)
  assert.deepEqual([...list].sort(), ['first', 'second', 'third'])
  for (const tab of [second, third]) await tab.shows({ list })
  assert.equal(profile.sockets, 1)
})

test('each tab is told what became of its own actions, whoever sent them; the others are not', async () => {
  const stream = 'salesOrder/verdicts'
  const profile = await world(stream)
  const [leader, follower] = [await profile.open('salesOrder'), await profile.open('salesOrder')]
  await Promise.all([leader.online(), follower.online()])
  await leads(leader)
  const [good, bad] = await follower.x(async app => {
    const good = app.store.dispatch({ type: 'create', payload: { id: '1', customer: 'Ann' } })
    const bad = app.store.dispatch({ type: 'confirm', payload: { id: '1' } })
    return [await app.verdict(good), await app.verdict(bad)]
  })
  assert.deepEqual(good, { seq: 1 })
  assert.equal(bad.code, 'rejected')
  assert.deepEqual((await follower.x(app => app.notices)).map(({ name }) => name), ['confirmed', 'rejected'])
  assert.deepEqual(await leader.x(app => app.notices), [])
  await leader.shows(await follower.state())
})

test("'server' routing in a tab that follows: shown with the verdict, once", async () => {
  const stream = 'tally/routed'
  const profile = await world(stream, { routing: 'server' })
  const [leader, follower] = [await profile.open('tally'), await profile.open('tally')]
  await Promise.all([leader.online(), follower.online()])
  const seen = await follower.x(async app => {
    const before = app.store.getState()
    const action = app.store.dispatch({ type: 'tally/add', payload: 3 })
    const held = app.store.getState() === before
    const verdict = await app.verdict(action)
    return { held, verdict, times: app.reduced.filter(({ type }) => type === 'tally/add').length }
  })
  assert.deepEqual(seen, { held: true, verdict: { seq: 1 }, times: 1 })
  await leader.shows(await follower.state())
})

test('a leader that froze is replaced once, and writes nothing when it thaws', { timeout: 60_000 }, async () => {
  const stream = 'journal/frozen'
  const profile = await world(stream)
  const [frozen, other] = [await profile.open(), await profile.open()]
  await Promise.all([frozen.online(), other.online()])
  await leads(frozen)
  // It cannot hear: as if its process stood still, while its socket and its writes go on.
  await frozen.x(() => {
    globalThis.thaw = BroadcastChannel.prototype.postMessage
    BroadcastChannel.prototype.postMessage = () => {}
  })
  await say(other, 'while it froze')
  await leads(other)
  await other.settled()
  await frozen.x(() => void (BroadcastChannel.prototype.postMessage = globalThis.thaw))
  await until('it follows', async () => (await role(frozen)) === 'follower')
  await say(frozen, 'thawed')
  await until('both are in the log', async () => (await backend.events(stream)).length === 2)
  for (const tab of [frozen, other]) await tab.shows({ list: ['while it froze', 'thawed'] })
  await leads(other)
  assert.equal(profile.sockets, 1)
})

test('the browser is asked once to keep what is stored', async () => {
  const profile = await world('journal/persist')
  await profile.profile.addInitScript(() => {
    globalThis.asked = 0
    StorageManager.prototype.persist = () => {
      globalThis.asked++
      return Promise.reject(new Error('no'))
    }
  })
  const app = await profile.open()
  assert.equal(await app.x(() => globalThis.asked), 0)
  await app.x(app => app.twin.durable(app.store.dispatch({ type: 'journal/add', payload: 'one' })))
  await app.x(app => app.twin.durable(app.store.dispatch({ type: 'journal/add', payload: 'two' })))
  assert.equal(await app.x(() => globalThis.asked), 1)
  assert.deepEqual(app.errors, [])
})
