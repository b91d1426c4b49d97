/** The server is killed in the middle of a replay, at seeded points between the first and the last commit. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../examples/random.js'
import { openApp } from './lib/browser.mjs'
import { stage } from './lib/stage.mjs'
import { thinClient } from './lib/thin.mjs'
import { until } from './lib/until.mjs'

const SEED = 20_261_123
const POINTS = 20
const ACTIONS = 120
const BATCH_MAX = 10
const texts = Array.from({ length: ACTIONS }, (_, i) => `action ${String(i).padStart(3, '0')}`)

let backend, site, browser
stage({ backend: { batchMax: BATCH_MAX }, browsers: 1 }, parts => ({ backend, site, browser } = parts))

test(`killed at ${POINTS} points of a replay: each action exactly once`, async t => {
  const random = seeded(SEED)
  let killedInBetween = 0
  // A kill that came after the last commit proves nothing; its point is drawn again, a few times at most.
  for (let i = 0; killedInBetween < POINTS && i < 2 * POINTS; i++) {
    const point = random.between(1, ACTIONS - 2 * BATCH_MAX)
    const survived = await replay(`journal/kill-${i}`, point)
    if (survived > 0 && survived < ACTIONS) killedInBetween++
    t.diagnostic(`killed at ${point}: ${survived} of ${ACTIONS} were committed (seed ${SEED})`)
  }
  assert.equal(killedInBetween, POINTS, 'kills between the first and the last commit')
})

/** One page, one replay, one kill; gives the number of events that the kill left. */
async function replay(stream, point) {
  const profile = await browser.newContext()
  const app = await openApp(profile, site, { backend, model: 'journal', stream })
  await app.online()
  await backend.takeAway()
  await app.offline()
  await app.x((app, all) => all.forEach(payload => app.store.dispatch({ type: 'journal/add', payload })), texts)

  await backend.bringBack()
  await killAt(stream, point, app)
  await backend.bringBack()
  const survived = (await backend.events(stream)).length
  await app.settled()
  await app.shows({ list: texts })
  const events = await backend.events(stream)
  assert.deepEqual(events.map(event => event.action.payload), texts, 'each action once, in order')
  assert.deepEqual(await backend.state(stream), { list: texts })
  assert.deepEqual(app.errors, [])
  await profile.close()
  return survived
}

/** Kills in the very task in which the event of that number is heard of. */
async function killAt(stream, point, app) {
  const watcher = await thinClient(backend, stream, { subscribe: 'events', from: 'start' })
  let gone
  watcher.onLine(lines => {
    if (lines.length >= point) gone ??= backend.takeAway()
  })
  await until(`event ${point}`, () => gone !== undefined, { seen: app.status })
  await gone
  watcher.close()
}
