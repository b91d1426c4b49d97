/** Two browsers and a thin client on one stream: each action is seen by all, once, in the server's order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from './lib/browser.mjs'
import { stage } from './lib/stage.mjs'
import { thinClient } from './lib/thin.mjs'
import { until } from './lib/until.mjs'

const EACH = 40
let backend, site, browsers
stage({ browsers: 2 }, parts => ({ backend, site, browsers } = parts))

for (const store of ['redux', 'toolkit'])
  test(`two browsers with ${store} and a thin client agree on the order, and on the state`, async () => {
    const stream = `journal/${store}`
    const thin = await thinClient(backend, stream, { subscribe: 'events' })
    const [a, b] = await Promise.all(browsers.map(async browser =>
      openApp(await browser.newContext(), site, { backend, model: 'journal', stream, store })))
    await Promise.all([a.online(), b.online()])

    await Promise.all([sayMany(a, 'a'), sayMany(b, 'b'), sayManyThin(thin, 'thin')])
    await Promise.all([a.settled(), b.settled()])
    const events = await until('all events', async () => {
      const all = await backend.events(stream)
      return all.length >= 3 * EACH && all
    })

    const order = events.map(event => event.action.payload)
    assert.deepEqual([...order].sort(), expected(), 'each action once')
    assert.deepEqual(events.map(event => event.seq), order.map((_, i) => i + 1), 'numbered without a gap')
    for (const who of ['a', 'b', 'thin'])
      assert.deepEqual(order.filter(said => said.startsWith(`${who} `)), said(who), `${who}'s own in the order of dispatch`)
    await a.shows({ list: order })
    await b.shows({ list: order })
    assert.deepEqual(await backend.state(stream), { list: order })
    await thin.count(3 * EACH)
    const heard = thin.frames().map(event => [event.seq, event.action.payload])
    // Two functions that push at once meet each other: who hears them goes by `seq`.
    if (backend.pushesMeet) heard.sort(([one], [other]) => one - other)
    assert.deepEqual(heard, order.map((text, i) => [i + 1, text]))
    thin.close()
  })

const said = who => Array.from({ length: EACH }, (_, i) => `${who} ${String(i).padStart(3, '0')}`)
const expected = () => ['a', 'b', 'thin'].flatMap(said).sort()

/** One a task, so that the three interleave. */
const sayMany = (app, who) =>
  app.x(async (app, all) => {
    for (const payload of all) {
      app.store.dispatch({ type: 'journal/add', payload })
      await new Promise(done => setTimeout(done))
    }
  }, said(who))

async function sayManyThin(thin, who) {
  for (const payload of said(who)) {
    thin.send({ type: 'journal/add', payload })
    await new Promise(setImmediate)
  }
}
