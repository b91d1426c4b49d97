/** A large outbox in real Chromium: packed while it waits, shown after a start, changed, sent once, and gone with its packs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from './lib/browser.mjs'
import { readDatabase } from './lib/database.mjs'
import { stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

const stream = 'journal/packs'
const COUNT = 1_000
let backend, site, browser
stage({ browsers: 1 }, parts => ({ backend, site, browser } = parts))

const untilStored = (app, what) => until(`stored: ${JSON.stringify(what)}`, async () => {
  const now = await readDatabase(app)
  return Object.keys(what).every(key => now[key] === what[key])
}, { seen: () => readDatabase(app) })

test(`${COUNT} actions wait: packed, shown after a start, one dropped, one edited, each sent once, in order`, async () => {
  const profile = await browser.newContext()
  const open = () => openApp(profile, site, { backend, model: 'journal', stream })
  const first = await open()
  await first.online()
  await backend.takeAway()
  await first.offline()
  await first.x(async (app, count) => {
    let last
    for (let n = 1; n <= count; n++) last = app.store.dispatch({ type: 'journal/add', payload: `said ${n}` })
    await app.twin.durable(last)
  }, COUNT)
  // 1–255, 256–511, 512–767; the client is in the fourth.
  await untilStored(first, { entries: COUNT, packs: 3 })
  const list = Array.from({ length: COUNT }, (_, i) => `said ${i + 1}`)

  // Nobody else has a link, so that it is certain that none was sent.
  const editing = await first.x(app => {
    const rows = app.twin.pending()
    app.twin.drop(rows[4].id)
    app.twin.edit(rows[299].id, { type: 'journal/add', payload: 'edited' })
    return rows.length
  })
  assert.equal(editing, COUNT)
  list.splice(299, 1, 'edited')
  list.splice(4, 1)
  await first.shows({ list })
  await untilStored(first, { entries: COUNT - 1, packs: 1 })
  await first.page.close()

  const second = await open()
  await second.shows({ list })
  assert.equal((await second.status()).pending, COUNT - 1)
  // What could not be read from packs is packed again.
  await untilStored(second, { packs: 3 })
  await second.reload()
  await second.shows({ list })
  await backend.bringBack()
  await second.settled()
  assert.deepEqual((await backend.events(stream)).map(event => event.action.payload), list)
  await untilStored(second, { entries: 0, packs: 0 })
  await second.reload()
  await second.shows({ list })
  assert.equal((await second.status()).pending, 0)
  assert.deepEqual([...first.errors, ...second.errors], [])
  await profile.close()
})
