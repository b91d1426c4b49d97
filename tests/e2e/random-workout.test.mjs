/**
 * The Redux Toolkit bundle gives the same state in the browser and in the server after each of 3,000 random actions.
 *
 * Compared are, action by action, the records that it changed: the model's records hold its whole state, so equal
 * changes to equal states are equal states. Every 500 actions the whole states are compared as well. A second page,
 * which folds what it hears, ends in the same state; neither is ever found to have diverged.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomActions } from '../../examples/workout/random-actions.js'
import { canonical, openApp } from './lib/browser.mjs'
import { stage } from './lib/stage.mjs'
import { thinClient } from './lib/thin.mjs'
import { until } from './lib/until.mjs'

const SEED = 3_000
const ACTIONS = 3_000
const WHOLE_EVERY = 500
/** Most of the generator's actions are refused or foreign, as it should be: they change nothing on either side. */
const GENERATED = 16_000
const stream = 'workout/random'

let backend, site, browser
stage({ backend: { models: ['workout'] }, browsers: 1 }, parts => ({ backend, site, browser } = parts))

test(`${ACTIONS} random actions of the workout model (seed ${SEED})`, async () => {
  const thin = await thinClient(backend, stream)
  const app = await openApp(await browser.newContext(), site, { backend, model: 'workout', stream, store: 'toolkit' })
  const listener = await openApp(await browser.newContext(), site, { backend, model: 'workout', stream, store: 'toolkit' })
  await Promise.all([app.online(), listener.online()])
  await app.x(watchRecords)
  const actions = randomActions(SEED, GENERATED)
  let next = 0
  for (let whole = WHOLE_EVERY; whole <= ACTIONS; whole += WHOLE_EVERY) {
    next = await app.x(dispatchUntil, { actions: actions.slice(next), first: next, total: whole })
    await app.settled()
    const [here, there] = [await app.state(), await backend.state(stream)]
    assert.equal(canonical(here), canonical(there), `whole states after ${whole} actions`)
  }
  await listener.shows(await app.state())
  for (const page of [app, listener]) assert.deepEqual(await page.x(({ notices }) => notices.filter(({ name }) => name === 'diverged')), [])
  const changes = await app.x(app => app.changes)
  assert.equal(changes.length, ACTIONS)
  assert.equal((await backend.events(stream)).filter(event => !event.error).length, ACTIONS)
  const there = await changesBySeq(thin, changes)
  for (const [i, here] of changes.entries())
    assert.equal(canonical(there.get(i + 1) ?? {}), canonical(here.changed), `action ${i + 1}, ${here.type}`)
})

/** In the page: after each twinned action, the records that it changed. */
function watchRecords(app) {
  const plain = value => JSON.parse(JSON.stringify(value))
  let records = {}
  app.changes = []
  app.afterEach = type => {
    const now = plain(app.model.records(app.store.getState()))
    const changed = {}
    for (const key of new Set([...Object.keys(records), ...Object.keys(now)]))
      if (JSON.stringify(records[key]) !== JSON.stringify(now[key])) changed[key] = now[key] ?? null
    records = now
    app.changes.push({ type, changed })
  }
  records = plain(app.model.records(app.store.getState()))
}

/** In the page: dispatches until so many were twinned in all; gives the number of the next action. */
function dispatchUntil(app, { actions, first, total }) {
  let at = 0
  while (app.changes.length < total) {
    if (at === actions.length) throw new Error('the generator gave too few actions')
    const action = actions[at++]
    // What the server would reject must not be sent: the page would show it for a while, and the server never.
    if (app.model.validate(app.store.getState(), action)) continue
    const stamped = app.store.dispatch(action)
    if (stamped?.meta?.twin?.n !== undefined) app.afterEach(action.type)
  }
  return first + at
}

/** What the server's records did: for each seq, the changed ones. */
async function changesBySeq(thin, changes) {
  const frames = changes.reduce((sum, { changed }) => sum + Object.keys(changed).length, 0)
  await until(`${frames} frames`, () => thin.lines.length >= frames, { seen: () => thin.lines.length })
  const there = new Map()
  for (const { seq, key, record } of thin.frames())
    if (key !== undefined) there.set(seq, { ...there.get(seq), [key]: record })
  return there
}
