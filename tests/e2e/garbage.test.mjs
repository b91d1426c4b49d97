/** A store that is in use stays attached to its twin when garbage is collected. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEMO } from '../../scripts/build/demo.mjs'
import { openApp } from './lib/browser.mjs'
import { openDemo } from './lib/demo.mjs'
import { stage } from './lib/stage.mjs'
import { thinClient } from './lib/thin.mjs'
import { until } from './lib/until.mjs'

let backend, site, browser
stage({ backend: { www: DEMO }, browsers: 1 }, parts => ({ backend, site, browser } = parts))

for (const store of ['redux', 'toolkit'])
  test(`${store}: what others do is shown after a garbage collection`, async () => {
    const stream = `journal/garbage-${store}`
    const app = await openApp(await browser.newContext(), site, { backend, model: 'journal', stream, store })
    await app.online()
    await collectGarbage(app.page)
    const thin = await thinClient(backend, stream)
    thin.send({ type: 'journal/add', payload: 'from elsewhere' })
    await app.shows({ list: ['from elsewhere'] })
    thin.close()
  })

test('NgRx: what others do is shown after a garbage collection', async () => {
  const demo = await openDemo(await browser.newContext(), backend, 'salesOrder/garbage')
  await demo.online()
  await collectGarbage(demo.page)
  const thin = await thinClient(backend, 'salesOrder/garbage')
  thin.send({ type: 'create', payload: { id: '1', customer: 'Ann' } })
  await until('the order is in the store', async () => (await demo.orders()).entities['1']?.customer === 'Ann', { seen: demo.status })
  assert.equal((await demo.status()).pending, 0)
  thin.close()
})

async function collectGarbage(page) {
  const session = await page.context().newCDPSession(page)
  await session.send('HeapProfiler.collectGarbage')
  await session.detach()
}
