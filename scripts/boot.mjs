/**
 * How long a page takes until its last visible state is back: `node scripts/boot.mjs [--pending 20000] [--times 9]`.
 *
 * A profile on disk gets that many pending actions, without a server; then the page is loaded again and again, each
 * time by a browser that was started anew. Prints the median of the time from `createTwin` to `ready`, and with
 * `--profile FILE` writes what the page's main thread did as a .cpuprofile.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openApp } from '../tests/e2e/lib/browser.mjs'
import { startChromium } from '../tests/e2e/lib/chromium.mjs'
import { startSite } from '../tests/e2e/lib/site.mjs'
import { main } from './lib/run.mjs'

const NOWHERE = { url: 'ws://127.0.0.1:9/sync' }
const AT_ONCE = 1_000

await main(async () => {
  const { values } = parseArgs({ options: {
    pending: { type: 'string', default: '20000' }, times: { type: 'string', default: '9' }, profile: { type: 'string' },
  } })
  const [pending, times] = [Number(values.pending), Number(values.times)]
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-boot-'))
  const site = await startSite()
  try {
    await fill(folder, site, pending)
    const measured = []
    for (let i = 0; i < times; i++) measured.push(await boot(folder, site, pending, i === times - 1 ? values.profile : undefined))
    measured.sort((a, b) => a - b)
    console.log(`${pending} pending actions: visible state back after ${Math.round(measured[times >> 1])} ms, the median of ${times} (${measured.map(Math.round).join(', ')})`)
  } finally {
    site.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
})

function open(browser, site) {
  return openApp(browser, site, { backend: NOWHERE, model: 'tally', stream: 'tally/boot' })
}

/** An outbox as an app leaves it: dispatched in many tasks, all durable. */
async function fill(folder, site, pending) {
  const browser = await startChromium(folder)
  const app = await open(browser, site)
  for (let from = 0; from < pending; from += AT_ONCE)
    await app.x(async (app, { from, to }) => {
      let last
      for (let n = from; n < to; n++) last = app.store.dispatch({ type: 'tally/add', payload: n })
      await app.twin.durable(last)
    }, { from, to: Math.min(from + AT_ONCE, pending) })
  await browser.close()
}

async function boot(folder, site, pending, profile) {
  const browser = await startChromium(folder)
  try {
    const page = await browser.newPage()
    const session = profile && await page.context().newCDPSession(page)
    if (session) await session.send('Profiler.enable').then(() => session.send('Profiler.start'))
    const app = await open({ newPage: async () => page }, site)
    if (session) writeFileSync(profile, JSON.stringify((await session.send('Profiler.stop')).profile))
    const { count } = await app.state()
    if (count !== pending) throw new Error(`${count} of ${pending} are back`)
    return await app.x(app => app.bootMs)
  } finally {
    await browser.close()
  }
}
