/**
 * What a page stores does not grow with the log: after 10,000 confirmed events there is a state and the few events behind it, and the next
 * start shows them right. Of clients that are long gone nothing is kept but what they still have in the outbox.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NOWHERE } from './lib/backend.mjs'
import { openApp } from './lib/browser.mjs'
import { putRows, readDatabase } from './lib/database.mjs'
import { stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

const EVENTS = 10_000
const AT_ONCE = 500
/** As in crates/engine/src/receive.rs; a frame more may be there. */
const COMPACT_EVENTS = 1_000

let backend, site, browser
stage({ backend: { models: ['tally', 'journal'] }, browsers: 1 }, parts => ({ backend, site, browser } = parts))

const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => from + i)

test(`${EVENTS} events of others, as they come: at most ${COMPACT_EVENTS} and a frame are stored, and a start without a server shows all`, async () => {
  const stream = 'tally/others'
  const profile = await browser.newContext()
  const app = await openApp(profile, site, { backend, model: 'tally', stream })
  await app.online()
  let most = 0
  for (let from = 0; from < EVENTS; from += AT_ONCE) {
    await backend.post(stream, numbers(from, from + AT_ONCE).map(payload => ({ type: 'tally/add', payload })))
    await app.until('they are folded', ({ cursor }) => cursor === from + AT_ONCE)
    const stored = await until('they are stored', async () => {
      const stored = await readDatabase(app)
      return stored.log?.cursor?.seq === from + AT_ONCE && stored
    })
    most = Math.max(most, stored.events.length)
    assert.equal((stored.state?.state.count ?? 0) + stored.events.length, from + AT_ONCE, 'the state, and the events behind it, without a hole')
    assert.deepEqual(stored.events.map(({ seq }) => seq), numbers(from + AT_ONCE - stored.events.length + 1, from + AT_ONCE + 1))
  }
  assert.ok(most <= COMPACT_EVENTS + AT_ONCE, `${most} events were stored at one time`)
  assert.ok(most >= AT_ONCE, 'they were stored as they came')
  await app.page.close()
  await startsRight(profile, stream)
})

test(`${EVENTS} actions of one's own: the same, and nothing is left in the outbox`, async () => {
  const stream = 'tally/own'
  const profile = await browser.newContext()
  const app = await openApp(profile, site, { backend, model: 'tally', stream })
  await app.online()
  for (let from = 0; from < EVENTS; from += AT_ONCE) {
    await app.x((app, numbers) => numbers.forEach(payload => app.store.dispatch({ type: 'tally/add', payload })), numbers(from, from + AT_ONCE))
    await app.settled()
  }
  const { events, log, state } = await until('all is stored', async () => {
    const stored = await readDatabase(app)
    return stored.log?.cursor?.seq === EVENTS && stored.entries === 0 && stored
  })
  assert.ok(events.length <= COMPACT_EVENTS + AT_ONCE, `${events.length} events are stored`)
  assert.equal(state.state.count + events.length, EVENTS)
  assert.deepEqual(Object.values(log.settled), [EVENTS], 'one number for the one client')
  await app.page.close()
  await startsRight(profile, stream)
})

/** Without a server: what is shown comes from the disk. */
async function startsRight(profile, stream) {
  const app = await openApp(profile, site, { backend: NOWHERE, model: 'tally', stream })
  await app.shows({ count: EVENTS, last: EVENTS - 1, strays: [] })
  assert.equal((await app.status()).cursor, EVENTS)
  assert.deepEqual(app.errors, [])
  await profile.close()
}

test('clients of long ago are forgotten once nothing of theirs is left; what they have in the outbox is kept and sent', async () => {
  const stream = 'journal/long-ago'
  const profile = await browser.newContext()
  const first = await openApp(profile, site, { backend, model: 'journal', stream })
  await first.online()
  await first.x(app => void app.store.dispatch({ type: 'journal/add', payload: 'first' }))
  await first.settled()
  const { log } = await until('it is stored', async () => {
    const stored = await readDatabase(first)
    return Object.keys(stored.log?.settled ?? {}).length === 1 && stored
  })
  const [young] = Object.keys(log.settled)
  await first.page.close()

  // A page of last year left actions, and has others behind it.
  const away = await openApp(profile, site, { backend: NOWHERE, model: 'journal', stream })
  await leaveFrom(away, '20200101-longago', ['old 1', 'old 2'])
  await putRows(away, 'meta', [['log', { ...log, settled: { ...log.settled, '20200101-nothing': 9 } }]])
  await away.page.close()

  const last = await openApp(profile, site, { backend: NOWHERE, model: 'journal', stream })
  await last.shows({ list: ['first', 'old 1', 'old 2'] })
  assert.equal((await readDatabase(last)).entries, 2, 'nobody prunes what has no verdict')
  await last.page.close()

  const again = await openApp(profile, site, { backend, model: 'journal', stream })
  await again.settled()
  assert.deepEqual((await backend.state(stream)).list, ['first', 'old 1', 'old 2'])
  const stored = await until('their verdicts are stored', async () => {
    const stored = await readDatabase(again)
    return stored.entries === 0 && stored
  })
  assert.deepEqual(Object.keys(stored.log.settled), [young])
  assert.deepEqual(again.errors, [])
  await profile.close()
})

/** What a client's page leaves in the outbox. */
const leaveFrom = (app, client, payloads) => putRows(app, 'outbox', payloads.map((payload, i) => {
  const n = i + 1
  const text = JSON.stringify({ type: 'journal/add', payload, meta: { twin: { id: `${client}/${n}`, at: n, client, n } } })
  return [[client, n], { client, n, from: n, order: n, schema: 1, bytes: text.length, text }]
}))
