/** Two tabs of one profile dispatch offline, one is reloaded, the server returns: each action once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from './lib/browser.mjs'
import { stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

const EACH = 50
const stream = 'journal/tabs'
let backend, site, browser
stage({ browsers: 1 }, parts => ({ backend, site, browser } = parts))

test('100 actions of two tabs, one of them reloaded, are 100 events', async () => {
  const profile = await browser.newContext()
  const open = () => openApp(profile, site, { backend, model: 'journal', stream })
  const [left, right] = [await open(), await open()]
  await Promise.all([left.online(), right.online()])
  await backend.takeAway()
  await Promise.all([left.offline(), right.offline()])

  await Promise.all([say(left, 'left'), say(right, 'right')])
  await left.reload()
  const kept = (await left.state()).list
  for (const text of texts('left')) assert.ok(kept.includes(text), `${text} is shown again after the reload`)

  await backend.bringBack()
  const events = await until('100 events', async () => {
    const all = await backend.events(stream)
    return all.length >= 2 * EACH && all
  })
  await Promise.all([left.settled(), right.settled()])
  const order = (await backend.events(stream)).map(event => event.action.payload)
  assert.equal(events.length, 2 * EACH)
  assert.deepEqual([...order].sort(), [...texts('left'), ...texts('right')].sort(), 'each once')
  for (const who of ['left', 'right']) assert.deepEqual(order.filter(text => text.startsWith(who)), texts(who), 'in order')
  for (const tab of [left, right]) await tab.shows({ list: order })
})

test('what a tab left behind when it was closed is sent by another', async () => {
  const profile = await browser.newContext()
  const open = () => openApp(profile, site, { backend, model: 'journal', stream: 'journal/left-behind' })
  const [first, second] = [await open(), await open()]
  await Promise.all([first.online(), second.online()])
  await backend.takeAway()
  await first.offline()
  await say(first, 'behind')
  await first.x(app => Promise.all(app.twin.pending().map(({ action }) => app.twin.durable(action))))
  await first.page.close()
  await backend.bringBack()
  await until('the events of the closed tab', async () => (await backend.events('journal/left-behind')).length >= EACH)
  await second.shows({ list: texts('behind') })
  assert.deepEqual((await backend.events('journal/left-behind')).map(event => event.action.payload), texts('behind'))
})

const texts = who => Array.from({ length: EACH }, (_, i) => `${who} ${String(i).padStart(2, '0')}`)
const say = (app, who) =>
  app.x((app, all) => all.forEach(payload => app.store.dispatch({ type: 'journal/add', payload })), texts(who))
