/**
 * A browser that was killed while it wrote leaves half a record at the end of IndexedDB's log. Chromium reads over
 * it, then writes on behind it, and at the start after that it finds the log damaged and throws the database away.
 */
import assert from 'node:assert/strict'
import { appendFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { openApp } from './lib/browser.mjs'
import { startChromium } from './lib/chromium.mjs'
import { stage } from './lib/stage.mjs'

const stream = 'journal/torn'
let backend, site, folder, browser
stage({ chromium: true }, parts => ({ backend, site, folder, chromium: browser } = parts))

test('half a record at the end of the log costs nothing, neither at the next start nor at those after it', async t => {
  t.after(() => browser.close())
  await browser.close()
  await backend.takeAway()
  const said = []
  for (const text of ['first', 'second', 'third']) {
    browser = await startChromium(folder)
    const app = await openApp(browser, site, { backend, model: 'journal', stream })
    assert.deepEqual(await app.state(), { list: said })
    await app.x(async (app, text) => app.twin.durable(app.store.dispatch({ type: 'journal/add', payload: text })), text)
    said.push(text)
    await browser.kill()
    if (said.length === 1) tearLog()
  }
})

/** A record's head, checksum (of nothing that follows), length and type, and not all of its body. */
function tearLog() {
  const database = join(folder, 'Default/IndexedDB', readdirSync(join(folder, 'Default/IndexedDB')).find(name => name.endsWith('.leveldb')))
  const log = readdirSync(database).find(name => name.endsWith('.log'))
  appendFileSync(join(database, log), Buffer.from([1, 2, 3, 4, 100, 0, 1, 0, 0, 0]))
}
