/**
 * Five tabs of one profile, each a process, all dispatching; the leader is killed, frozen and closed in turn, with a
 * server and without. Each action is an event once, in its tab's own order, and all tabs end in one state.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from './lib/browser.mjs'
import { doesDatabaseAnswer } from './lib/database.mjs'
import { killRenderer } from './lib/kills.mjs'
import { stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

const TABS = 5
const PLACES = ['offline', 'online']
const ROUNDS = Math.ceil(Number(process.env.TWINSTORE_KILLS ?? 20) / 20)
/** How many actions each tab dispatches between two incidents, and how often; five tabs at once are 125 a second. */
const EACH = 10
const EVERY_MS = 40
/** How far a tab may be ahead of what was asked of it: on a slow machine it would say ever more, and be ever slower for it. */
const AHEAD = 3 * EACH
/** A process that was stopped in the midst of a task that had begun a transaction: Chromium lets nobody at the database until it goes on (docs/RELIABILITY.md). */
const STANDSTILL_MS = 10_000
let backend, site, browser
stage({ chromium: true }, parts => ({ backend, site, chromium: browser } = parts))

for (const where of PLACES)
  test(`${where}: the leader of five tabs killed, frozen and closed, ${ROUNDS} times each, while all dispatch`, async t => {
    const stream = `journal/five-${where}`
    const tabs = []
    let away = false
    let standstills = 0
    // One that failed leaves the next what it found.
    t.after(async () => {
      await Promise.all(tabs.filter(isThere).map(tab => tab.page.close()))
      if (away) await backend.bringBack()
    })
    const open = async () => tabs.push(await openTab(stream, `tab${tabs.length}`))
    for (let i = 0; i < TABS; i++) await open()
    if (where === 'offline') await backend.takeAway().then(() => (away = true))
    await Promise.all(tabs.map(speak))

    for (let round = 0; round < ROUNDS; round++)
      for (const incident of [kill, freeze, close]) {
        await allGoOn(tabs)
        if (await incident(await leaderOf(tabs), tabs, where === 'online' ? stream : null)) standstills++
        if (tabs.filter(isThere).length < TABS) await open().then(() => speak(tabs.at(-1)))
      }
    await allGoOn(tabs)
    for (const tab of tabs.filter(isThere)) tab.said = await tab.x(app => app.hush())

    if (away) await backend.bringBack().then(() => (away = false))
    await until('the log has all that was said', async () => {
      const events = await backend.events(stream)
      return tabs.every(tab => events.filter(({ action }) => action.payload.startsWith(`${tab.who} `)).length >= tab.said)
    }, { seen: () => whereTheyAre(tabs, stream) })
    const living = tabs.filter(isThere)
    for (const tab of living) await tab.settled()
    const list = (await backend.events(stream)).map(event => event.action.payload)
    for (const tab of tabs) assertOwnOrder(list, tab)
    for (const tab of living) await tab.shows({ list })
    for (const tab of living) assert.deepEqual(tab.errors, [])
    t.diagnostic(`${tabs.length} tabs, ${list.length} actions: 0 lost, 0 doubled${standstills ? `; ${standstills} of ${ROUNDS} freezes kept all from the database` : ''}`)
    assert.ok(standstills <= 1 + ROUNDS / 5, 'it is rare')
  })

async function openTab(stream, who) {
  const app = await openApp(browser, site, { backend, model: 'journal', stream })
  return Object.assign(app, { who, said: 0 })
}

const isThere = tab => !tab.gone

/** One action every few milliseconds until it is hushed, as long as more is asked of it now and then. */
const speak = tab =>
  tab.x((app, { who, everyMs, ahead }) => {
    let said = 0
    app.most = ahead
    const timer = setInterval(() => {
      if (said < app.most && !app.silent) app.store.dispatch({ type: 'journal/add', payload: `${who} said ${said++}` })
    }, everyMs)
    app.said = () => said
    app.hush = () => {
      clearInterval(timer)
      return said
    }
  }, { who: tab.who, everyMs: EVERY_MS, ahead: AHEAD })

/** Whether they say nothing for a while. */
const hold = (tabs, silent) => Promise.all(tabs.filter(isThere).map(tab => tab.x((app, silent) => { app.silent = silent }, silent)))

/** Each tab that is there says more; what it had said by then is known, and must not be lost. */
async function allGoOn(tabs) {
  const there = tabs.filter(isThere)
  await Promise.all(there.map(tab => tab.x((app, most) => void (app.most = most), tab.said + EACH + AHEAD)))
  for (const tab of there) {
    const more = tab.said + EACH
    tab.said = await until(`${tab.who} goes on`, async () => {
      const said = await tab.x(app => app.said())
      return said >= more && said
    })
  }
}

/** The tab that leads; where each sends by itself, any. */
async function leaderOf(tabs) {
  const there = tabs.filter(isThere)
  const roles = await Promise.all(there.map(async tab => (await tab.status()).role))
  return there[Math.max(0, roles.indexOf('leader'))]
}

async function kill(tab) {
  tab.gone = true
  await killRenderer(tab)
}

async function close(tab) {
  tab.gone = true
  await tab.page.close()
}

/** While it stands still the others go on; and where it led, another leads, and what they say gets to the server. True: the browser let nobody at the database. */
async function freeze(tab, tabs, stream) {
  const led = (await tab.status()).role === 'leader'
  const others = tabs.filter(other => isThere(other) && other !== tab)
  const isHeard = async () => {
    const events = await backend.events(stream)
    return others.every(({ who, said }) => events.some(({ action }) => action.payload === `${who} said ${said - 1}`))
  }
  const seen = () => whereTheyAre(others, stream)
  let standsStill = false
  process.kill(tab.page.pid, 'SIGSTOP')
  try {
    await allGoOn(others)
    const since = Date.now()
    if (led && stream)
      await until('what the others say gets to the server', async () => {
        standsStill = Date.now() > since + STANDSTILL_MS && !(await doesDatabaseAnswer(others[0], STANDSTILL_MS))
        return standsStill || isHeard()
      }, { seen })
  } finally {
    process.kill(tab.page.pid, 'SIGCONT')
  }
  if (standsStill) {
    // What piled up is a transaction each: nothing is added until it is through.
    await hold(tabs, true)
    await until('what the others said gets to the server once it goes on', isHeard, { seen, deadlineMs: 4 * STANDSTILL_MS + 60_000 })
    await hold(tabs, false)
  }
  return standsStill
}

/** For a failure: of each tab its role, what it said, what of it is in the log, what waits, and whether its database answers. */
async function whereTheyAre(tabs, stream) {
  const events = await backend.events(stream)
  return Promise.all(tabs.map(async tab => {
    const inLog = events.filter(({ action }) => action.payload.startsWith(`${tab.who} `)).length
    if (tab.gone) return { who: tab.who, said: tab.said, inLog }
    const { role, link, storage, pending, lastError } = await tab.status()
    const first = await tab.x(app => app.twin.pending().slice(0, 2).map(({ action, state }) => [action.payload, state]))
    const answers = await doesDatabaseAnswer(tab)
    return { who: tab.who, said: tab.said, inLog, role, link, storage, pending, first, lastError, answers }
  }))
}

/** All that a tab said, once, in its order; of one that is gone at least what was known. */
function assertOwnOrder(list, { who, said, gone }) {
  const own = list.filter(text => text.startsWith(`${who} `))
  assert.deepEqual(own, own.map((_, i) => `${who} said ${i}`), `${who}'s own, each once and in order`)
  if (gone) assert.ok(own.length >= said, `${who} had said ${said}, and ${own.length} are there`)
  else assert.equal(own.length, said, `all that ${who} said`)
}
