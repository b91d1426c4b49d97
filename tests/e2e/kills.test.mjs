/**
 * Real kills: SIGKILL of a page's process in the task in which it dispatches, of the same right after, and of the
 * whole browser when `durable` has resolved. Nothing is lost and nothing is doubled, with a server and without.
 *
 * TWINSTORE_KILLS says how many of each; `node scripts/kills.mjs` runs the long version. See docs/RELIABILITY.md.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { seeded } from '../../examples/random.js'
import { startBackend } from './lib/backend.mjs'
import { openApp } from './lib/browser.mjs'
import { startChromium } from './lib/chromium.mjs'
import { assertNothingLost, dispatchAndEnd, dispatchAndSpin, dispatchDurably, inTasks, killRenderer } from './lib/kills.mjs'
import { startSite } from './lib/site.mjs'
import { newFolder, removeFolder } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

const KILLS = Number(process.env.TWINSTORE_KILLS ?? 20)
const SEED = Number(process.env.TWINSTORE_SEED ?? 20_261_124)
const ACTIONS = 100
/** Kills in one outbox before it is sent and compared. */
const ROUND = 10
const DELAY_MS_MAX = 30
/** What was written leaves the page's process by threads of its own, which a page that spins keeps waiting on a busy machine. */
const HANDED_OVER_MS = 50

const KINDS = [
  { name: 'the renderer, in the task that dispatches', inPage: dispatchAndSpin, delayMs: () => HANDED_OVER_MS, kill: (_, app) => killRenderer(app) },
  { name: 'the renderer, right after', inPage: dispatchAndEnd, delayMs: random => random.between(0, DELAY_MS_MAX), kill: (_, app) => killRenderer(app) },
  { name: 'the whole browser, when durable() has resolved', inPage: dispatchDurably, delayMs: () => 0, kill: killBrowser },
]

for (const kind of KINDS)
  test(`${KILLS} kills of ${kind.name}: ${ACTIONS} actions each, none lost, none doubled`, async t => {
    const half = Math.ceil(KILLS / 2)
    const lanes = await Promise.all([killMany(kind, 'offline', half), killMany(kind, 'online', KILLS - half)])
    for (const { lane, kills, events } of lanes)
      t.diagnostic(`${lane}: ${kills} kills, ${kills * ACTIONS} actions, ${events} events, 0 lost, 0 doubled (seed ${SEED})`)
    assert.equal(lanes.reduce((sum, { kills }) => sum + kills, 0), KILLS)
  })

/** All kills of one kind, with the server there or away, in rounds. */
async function killMany(kind, lane, wanted) {
  const random = seeded(SEED + wanted + lane.length)
  const folder = newFolder()
  const [backend, site] = await Promise.all([startBackend(), startSite()])
  const world = { kind, lane, random, folder, backend, site, browser: await startChromium(folder) }
  let kills = 0
  let events = 0
  try {
    for (let round = 0; kills < wanted; round++) {
      const count = Math.min(ROUND, wanted - kills)
      events += await killInRound(world, `journal/round-${round}`, count)
      kills += count
    }
  } finally {
    await world.browser.close()
    site.close()
    await backend.close()
    removeFolder(folder)
  }
  return { lane, kills, events }
}

/** Kills in one stream; then the browser is started anew, and what it reads from disk is sent and compared. */
async function killInRound(world, stream, count) {
  const { backend, site, lane } = world
  const tabs = []
  const open = async () => {
    const app = await openApp(world.browser, site, { backend, model: 'journal', stream })
    assertNothingLost((await app.state()).list, tabs, `shown after ${tabs.length} kills`)
    return app
  }
  if (lane === 'offline') await backend.takeAway()
  for (let i = 0; i < count; i++) tabs.push(await dispatchAndDie(world, await open(), `tab${i}`))

  await world.browser.kill()
  world.browser = await startChromium(world.folder)
  if (lane === 'offline') await backend.bringBack()
  const last = await open()
  await last.settled()
  const list = (await backend.events(stream)).map(event => event.action.payload)
  assertNothingLost(list, tabs, 'in the log')
  assert.deepEqual(await backend.state(stream), { list })
  await last.shows({ list })
  assert.deepEqual(last.errors, [])
  await last.page.close()
  return list.length
}

/** Lets a page dispatch, kills when it says so, and tells what it had said by then. */
async function dispatchAndDie(world, app, who) {
  const { kind, random, site } = world
  const said = Array.from({ length: ACTIONS }, (_, i) => `${who} said ${i}`)
  const delayMs = kind.delayMs(random)
  let dying
  site.onMark = mark => {
    if (mark === who) dying ??= delayMs === 0 ? kind.kill(world, app) : pause(delayMs).then(() => kind.kill(world, app))
  }
  let hurt
  app.x(kind.inPage, { tasks: inTasks(said, random), mark: who }).catch(error => { hurt = error })
  await until('the page says that it has dispatched', () => {
    if (!dying && hurt) throw hurt
    return dying !== undefined
  })
  await dying
  return { who, said }
}

/** Now all processes at once, now the main one alone. */
async function killBrowser(world) {
  await world.browser.kill({ all: world.random.chance(0.5) })
  world.browser = await startChromium(world.folder)
}
