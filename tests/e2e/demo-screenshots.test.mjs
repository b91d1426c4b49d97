/**
 * Pictures of the demo: phone and desktop; online, offline with pending actions, rejected.
 *
 * They go to tests/output; with TWINSTORE_SCREENSHOTS=docs/screenshots the ones in the README are made anew.
 */
import assert from 'node:assert/strict'
import { mkdirSync, statSync } from 'node:fs'
import { test } from 'node:test'
import { DEMO } from '../../scripts/build/demo.mjs'
import { at } from '../../scripts/lib/paths.mjs'
import { openDemo, orderActions } from './lib/demo.mjs'
import { stage } from './lib/stage.mjs'
import { thinClient } from './lib/thin.mjs'
import { until } from './lib/until.mjs'

const FOLDER = process.env.TWINSTORE_SCREENSHOTS ?? 'tests/output/screenshots'
const BYTES_MAX = 250_000
const SCREENS = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } }

let backend, browser
mkdirSync(at(FOLDER), { recursive: true })
stage({ backend: { www: DEMO }, site: false, browsers: 1 }, parts => ({ backend, browser } = parts))

for (const [screen, viewport] of Object.entries(SCREENS))
  test(`${screen}: online, offline with pending actions, rejected`, async () => {
    const stream = `salesOrder/${screen}`
    const demo = await openDemo(await browser.newContext({ viewport, reducedMotion: 'reduce' }), backend, stream)
    const shoot = name => shot(demo.page, `${screen}-${name}`)
    await demo.online()
    await demo.dispatch([...orderActions('1042', 'Ann Sommer'), ...orderActions('1043', 'Bo Winter').slice(0, 4), ...orderActions('1044', 'Cleo Lenz').slice(0, 2)])
    await demo.settled()
    await until('the orders are on the screen', async () => (await demo.visible('order-row').count()) === 3)
    if (screen === 'desktop') await demo.page.goto(`${demo.page.url().split('#')[0]}#/orders/1043`)
    await shoot('online')

    await demo.visible('offline-switch').click()
    await demo.offline()
    await demo.dispatch([...orderActions('1045', 'Dora Mai').slice(0, 3), { type: 'confirm', payload: { id: '1044' } }])
    await until('four are pending', async () => (await demo.visible('pending-count').innerText()) === '4')
    await shoot('offline')

    // Elsewhere the last line is removed, so the confirmation comes too late.
    const thin = await thinClient(backend, stream)
    thin.send({ type: 'removeLine', payload: { id: '1044', lineId: '1044-tea' } })
    await thin.count(1)
    await demo.visible('offline-switch').click()
    await demo.visible('toast').first().waitFor()
    assert.match(await demo.visible('toast-reason').first().innerText(), /order 1044 has no lines/i)
    assert.equal(await demo.visible('toast').first().getAttribute('data-kind'), 'rejected')
    await demo.settled()
    await until('the confirmation is rolled back', async () => (await demo.orders()).entities['1044'].status === 'draft')
    await shoot('rejected')
    thin.close()
    assert.deepEqual(demo.errors, [])
  })

async function shot(page, name) {
  const path = at(FOLDER, `${name}.png`)
  await page.evaluate(() => document.fonts.ready)
  await page.screenshot({ path, animations: 'disabled' })
  assert.ok(statSync(path).size < BYTES_MAX, `${name}.png is small`)
}
