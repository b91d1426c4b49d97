/** An action that was right where it was made, and is wrong where it arrives: rolled back with its reason. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonical, openApp } from './lib/browser.mjs'
import { stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

const stream = 'salesOrder/rejection'
const REASON = 'order 1 has no lines'
let backend, site, browser
stage({ browsers: 1 }, parts => ({ backend, site, browser } = parts))

test('an order confirmed offline whose last line was removed meanwhile', async () => {
  const open = async () =>
    openApp(await browser.newContext(), site, { backend, model: 'salesOrder', stream, validate: true, store: 'toolkit' })
  const [a, b] = [await open(), await open()]
  await Promise.all([a.online(), b.online()])
  await a.dispatch({ type: 'create', payload: { id: '1', customer: 'Ann' } })
  await a.dispatch({ type: 'addLine', payload: { id: '1', line: { id: 'l', sku: 'tea', quantity: 2, price: 300 } } })
  await a.settled()
  await until('B sees the line', async () => (await b.state()).entities['1']?.lines.length === 1)

  await a.x(app => app.twin.disconnect())
  await a.offline()
  await b.dispatch({ type: 'removeLine', payload: { id: '1', lineId: 'l' } })
  await b.settled()

  // A's own check sees the line that is gone elsewhere: the dispatch does not throw, and the order shows as confirmed.
  await a.x(app => {
    app.action = app.store.dispatch({ type: 'confirm', payload: { id: '1' } })
    app.store.dispatch({ type: 'create', payload: { id: '2', customer: 'Bo' } })
    app.store.dispatch({ type: 'addLine', payload: { id: '2', line: { id: 'm', sku: 'cup', quantity: 1, price: 900 } } })
  })
  assert.equal((await a.state()).entities['1'].status, 'confirmed')
  assert.equal((await a.status()).pending, 3)

  const verdict = a.x(app => app.verdict(app.action))
  await a.x(app => app.twin.connect())
  const { code, message } = await verdict
  assert.equal(code, 'rejected')
  assert.match(message, new RegExp(REASON))
  await a.settled()

  const state = await backend.state(stream)
  assert.deepEqual(state.entities['1'], { id: '1', customer: 'Ann', status: 'draft', lines: [], total: 0 })
  assert.equal(state.entities['2'].total, 900, 'those behind it are kept')
  await a.shows(state)
  await b.shows(state)
  const rejections = await a.x(app => app.notices.filter(({ name }) => name === 'rejected'))
  assert.deepEqual(rejections.map(({ reason, action }) => [reason, action.type]), [[REASON, 'confirm']])
  const events = await backend.events(stream)
  assert.deepEqual(events.filter(event => event.error).map(event => [event.seq, event.action.type, event.error.reason]),
    [[4, 'confirm', REASON]])
  assert.equal(events.length, 6)
})

test('A’s own check throws where it can know, and nothing is stored or shown', async () => {
  const app = await openApp(await browser.newContext(), site, { backend, model: 'salesOrder', stream: 'salesOrder/own', validate: true })
  await app.online()
  await app.dispatch({ type: 'create', payload: { id: '1', customer: 'Ann' } })
  await app.settled()
  const before = canonical(await app.state())
  const thrown = await app.x(app => {
    try {
      app.store.dispatch({ type: 'confirm', payload: { id: '1' } })
    } catch ({ name, code, message }) {
      return { name, code, message }
    }
  })
  assert.equal(thrown?.name, 'TwinError')
  assert.equal(thrown.code, 'invalid')
  assert.match(thrown.message, new RegExp(REASON))
  assert.equal(canonical(await app.state()), before)
  assert.equal((await app.status()).pending, 0)
  assert.equal((await backend.events('salesOrder/own')).length, 1)
})
