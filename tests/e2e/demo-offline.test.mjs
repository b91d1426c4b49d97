/** The demo without a server: 200 actions, a reload, and the server again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEMO } from '../../scripts/build/demo.mjs'
import { canonical } from './lib/browser.mjs'
import { openDemo, orderActions } from './lib/demo.mjs'
import { stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

const ORDERS = 40
const ACTIONS = 200
const stream = 'salesOrder/offline'
let backend, browser, other
stage({ backend: { www: DEMO }, site: false, browsers: 2 }, parts => ({ backend, browsers: [browser, other] } = parts))

test('200 actions offline, reloaded while offline, are 200 events when the server is back', async () => {
  const demo = await openDemo(await browser.newContext(), backend, stream)
  await demo.online()
  await demo.startsOffline()
  await demo.online()
  await backend.takeAway()
  await demo.offline()

  const actions = Array.from({ length: ORDERS }, (_, i) => orderActions(`o${String(i).padStart(2, '0')}`, `Customer ${i}`)).flat()
  assert.equal(actions.length, ACTIONS)
  await demo.dispatch(actions)
  const shown = await demo.orders()
  assert.equal(Object.values(shown.entities).filter(({ status }) => status === 'confirmed').length, ORDERS)
  assert.equal((await demo.status()).pending, ACTIONS)

  await demo.page.reload()
  await demo.ready()
  assert.notEqual((await demo.status()).link, 'online', 'the server is still away')
  assert.equal(canonical(await demo.orders()), canonical(shown), 'the visible state is back')
  assert.equal((await demo.status()).pending, ACTIONS)
  await until('the orders are on the screen', async () => (await demo.visible('order-row').count()) === ORDERS)
  await until('so is the number of pending actions', async () =>
    (await demo.visible('pending-count').innerText()) === String(ACTIONS))

  await backend.bringBack()
  await demo.settled()
  const events = await backend.events(stream)
  assert.deepEqual(events.map(({ seq }) => seq), Array.from({ length: ACTIONS }, (_, i) => i + 1))
  assert.deepEqual(events.map(({ action: { type, payload } }) => ({ type, payload })), actions, 'in order, once each')
  assert.deepEqual(events.filter(({ error }) => error), [])
  const state = await backend.state(stream)
  assert.equal(canonical(await demo.orders()), canonical(state))

  const beside = await openDemo(await other.newContext(), backend, stream)
  await until('another browser shows the same', async () => canonical(await beside.orders()) === canonical(state))
  assert.deepEqual([...demo.errors, ...beside.errors], [])
})

test('an order is written, confirmed and deleted by hand, and the log page shows both sides', async () => {
  const demo = await openDemo(await browser.newContext({ viewport: { width: 390, height: 844 } }), backend, 'salesOrder/by-hand')
  await demo.online()
  await demo.visible('new-order').click()
  await demo.visible('customer-input').fill('Ann')
  await demo.visible('save-order').click()
  await demo.visible('line-sku-input').fill('Tea')
  await demo.visible('line-quantity-input').fill('3')
  await demo.visible('line-price-input').fill('4.50')
  await demo.visible('add-line').click()
  await demo.visible('line').first().waitFor()
  assert.equal(await demo.visible('nav-orders').getAttribute('aria-current'), 'page', 'an order is of that tab')
  await demo.settled()

  await demo.visible('offline-switch').click()
  await demo.offline()
  await demo.visible('confirm-order').click()
  await until('the order shows as confirmed', async () => /confirmed/i.test(await demo.visible('order-status').innerText()))
  await demo.visible('nav-log').click()
  await until('it waits in the outbox', async () => (await demo.visible('outbox-row').count()) === 1)
  assert.equal(await demo.visible('nav-orders').getAttribute('aria-current'), null)
  await demo.visible('offline-switch').click()
  await demo.settled()
  await until('the outbox is empty', async () => (await demo.visible('outbox-row').count()) === 0)

  const { entities } = await backend.state('salesOrder/by-hand')
  assert.deepEqual(Object.values(entities).map(({ customer, status, total }) => [customer, status, total]), [['Ann', 'confirmed', 1350]])
  await demo.visible('nav-orders').click()
  await demo.visible('order-row').click()
  await demo.visible('delete-order').click()
  await demo.visible('delete-order-really').click()
  await demo.settled()
  await until('the order is gone', async () => (await demo.visible('order-row').count()) === 0)
  assert.deepEqual(await backend.state('salesOrder/by-hand'), { entities: {} })
  assert.deepEqual(demo.errors, [])
})
