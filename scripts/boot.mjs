/**
 * How long a page takes until its last visible state is back: `node scripts/boot.mjs [--pending 20000] [--confirmed 0] [--times 9]`.
 *
 * A profile on disk gets that many confirmed actions, then that many pending ones, without a server, and time to pack them; then
 * the page is loaded again and again, each time by a browser that was started anew. Prints the median of the time from `createTwin` to `ready`, and with
 * `--profile FILE` writes what the page's main thread did as a .cpuprofile.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { NOWHERE, startBackend } from '../tests/e2e/lib/backend.mjs'
import { openApp } from '../tests/e2e/lib/browser.mjs'
import { startChromium } from '../tests/e2e/lib/chromium.mjs'
import { readDatabase } from '../tests/e2e/lib/database.mjs'
import { startSite } from '../tests/e2e/lib/site.mjs'
import { until } from '../tests/e2e/lib/until.mjs'
import { DEV, buildServer } from './build/server.mjs'
import { main } from './lib/run.mjs'

const AT_ONCE = 1_000
/** `src/packs.js`. */
const PACK = 256

await main(async () => {
  const { values } = parseArgs({ options: {
    pending: { type: 'string', default: '20000' }, confirmed: { type: 'string', default: '0' },
    times: { type: 'string', default: '9' }, profile: { type: 'string' },
  } })
  const [pending, confirmed, times] = [values.pending, values.confirmed, values.times].map(Number)
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-boot-'))
  const site = await startSite()
  try {
    if (confirmed > 0) await confirm(folder, site, confirmed)
    await fill(folder, site, confirmed, confirmed + pending)
    const measured = []
    for (let i = 0; i < times; i++) measured.push(await boot(folder, site, confirmed + pending, i === times - 1 ? values.profile : undefined))
    measured.sort((a, b) => a - b)
    console.log(`${confirmed} confirmed and ${pending} pending actions: visible state back after ${Math.round(measured[times >> 1])} ms, the median of ${times} (${measured.map(Math.round).join(', ')})`)
  } finally {
    site.close()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
})

function open(browser, site, backend = NOWHERE) {
  return openApp(browser, site, { backend, model: 'tally', stream: 'tally/boot' })
}

/** A log as an app leaves it: folded as it came, then compacted or not, as the twin thinks fit. */
async function confirm(folder, site, confirmed) {
  if (!process.env.TWINSTORE_SERVER) await buildServer(DEV)
  const backend = await startBackend({ models: ['tally'] })
  const browser = await startChromium(folder)
  const app = await open(browser, site, backend)
  await app.online()
  for (let from = 0; from < confirmed; from += AT_ONCE) {
    await dispatch(app, from, Math.min(from + AT_ONCE, confirmed))
    await app.settled()
  }
  await browser.close()
  await backend.close()
}

/** An outbox as an app leaves it: dispatched in many tasks, all durable. */
async function fill(folder, site, first, end) {
  const browser = await startChromium(folder)
  const app = await open(browser, site)
  for (let from = first; from < end; from += AT_ONCE) await dispatch(app, from, Math.min(from + AT_ONCE, end))
  await until('all is packed but for the last numbers', async () => (await readDatabase(app)).packs >= Math.floor((end - first) / PACK), { deadlineMs: 60_000 })
  await browser.close()
}

function dispatch(app, from, to) {
  return app.x(async (app, { from, to }) => {
    let last
    for (let n = from; n < to; n++) last = app.store.dispatch({ type: 'tally/add', payload: n })
    await app.twin.durable(last)
  }, { from, to })
}

async function boot(folder, site, actions, profile) {
  const browser = await startChromium(folder)
  try {
    const page = await browser.newPage()
    const session = profile && await page.context().newCDPSession(page)
    if (session) await session.send('Profiler.enable').then(() => session.send('Profiler.start'))
    const app = await open({ newPage: async () => page }, site)
    if (session) writeFileSync(profile, JSON.stringify((await session.send('Profiler.stop')).profile))
    const { count } = await app.state()
    if (count !== actions) throw new Error(`${count} of ${actions} are back`)
    return await app.x(app => app.bootMs)
  } finally {
    await browser.close()
  }
}
