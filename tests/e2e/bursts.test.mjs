/** 5,000 actions in one task, killed at seeded points of it: what is lost is the end of the burst, within `limits.burst`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../examples/random.js'
import { openApp } from './lib/browser.mjs'
import { BURST, killRenderer } from './lib/kills.mjs'
import { stage } from './lib/stage.mjs'

const KILLS = Math.ceil(Number(process.env.TWINSTORE_KILLS ?? 20) / 4)
const SEED = Number(process.env.TWINSTORE_SEED ?? 20_261_125)
const ACTIONS = 5_000
let backend, site, browser
stage({ backend: { models: ['tally'] }, chromium: true }, parts => ({ backend, site, chromium: browser } = parts))

test(`killed at ${KILLS} points of a task of ${ACTIONS} actions: at most the last ${BURST} are lost, and nothing is doubled`, async t => {
  const random = seeded(SEED)
  for (let i = 0; i < KILLS; i++) {
    // Most come early: what is kept has to be sent, too.
    const point = i === 0 ? ACTIONS : random.between(1, ACTIONS / 4)
    const stream = `tally/burst-${i}`
    const open = () => openApp(browser, site, { backend, model: 'tally', stream })
    await backend.takeAway()
    await burst(await open(), point)
    const next = await open()
    const { count, strays } = await next.state()
    await backend.bringBack()
    await next.settled()

    assert.deepEqual(strays, [], 'what is there is the beginning of the burst, each once')
    assert.ok(count <= point && count >= point - BURST, `killed after ${point}, kept ${count}`)
    assert.deepEqual((await backend.events(stream)).map(event => event.action.payload), Array.from({ length: count }, (_, n) => n))
    t.diagnostic(`killed after ${point} of ${ACTIONS}: ${point - count} lost (seed ${SEED})`)
    await next.page.close()
  }
})

/** The page is killed in its task, when that many are dispatched. */
async function burst(app, point) {
  const told = new Promise(done => { site.onMark = done })
  const dispatched = app.x((app, point) => {
    for (let n = 0; n < point; n++) app.store.dispatch({ type: 'tally/add', payload: n })
    navigator.sendBeacon('/mark')
    for (const end = Date.now() + 60_000; Date.now() < end;) ;
  }, point)
  await Promise.race([told, dispatched])
  await killRenderer(app)
  await assert.rejects(dispatched)
}
