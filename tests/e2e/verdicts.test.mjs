/** What `durable` and `confirmed` promise, and what `routing: 'server'` holds back. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from './lib/browser.mjs'
import { stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

let backend, site, browser
stage({ browsers: 1 }, parts => ({ backend, site, browser } = parts))
const open = async (stream, more = {}) => {
  const app = await openApp(await browser.newContext(), site, { backend, model: stream.split('/')[0], stream, ...more })
  await app.online()
  return app
}

test('durable resolves after the transaction’s complete event, not before', async () => {
  const app = await open('journal/durable')
  const order = await app.x(async app => {
    const order = []
    const transaction = IDBDatabase.prototype.transaction
    IDBDatabase.prototype.transaction = function (stores, mode, ...rest) {
      const opened = transaction.call(this, stores, mode, ...rest)
      if (mode === 'readwrite') {
        order.push('transaction')
        // The first listener: the twin's own comes after it.
        opened.addEventListener('complete', () => order.push('complete'))
      }
      return opened
    }
    const action = app.store.dispatch({ type: 'journal/add', payload: 'kept' })
    order.push('dispatched')
    await app.twin.durable(action)
    order.push('durable')
    IDBDatabase.prototype.transaction = transaction
    return order
  })
  assert.deepEqual(order.slice(0, 2), ['transaction', 'dispatched'], 'stored in the task of the dispatch')
  assert.ok(order.includes('complete'), `a transaction completed: ${order}`)
  assert.ok(order.indexOf('complete') < order.indexOf('durable'), `${order}`)
})

test('confirmed gives the seq of the event, or rejects with the reason', async () => {
  const app = await open('salesOrder/confirmed')
  const verdicts = await app.x(async app => {
    const verdicts = []
    const orders = [
      { type: 'create', payload: { id: '1', customer: 'Ann' } },
      // It changes the state here, since this page has no check of its own, and is refused there.
      { type: 'confirm', payload: { id: '1' } },
      { type: 'update', payload: { id: '1', customer: 'Bo' } },
    ]
    for (const order of orders) verdicts.push(app.verdict(app.store.dispatch(order)))
    return Promise.all(verdicts)
  })
  assert.deepEqual(verdicts[0], { seq: 1 })
  assert.equal(verdicts[1].code, 'rejected')
  assert.match(verdicts[1].message, /order 1 has no lines/)
  assert.deepEqual(verdicts[2], { seq: 3 })
  const events = await backend.events('salesOrder/confirmed')
  assert.deepEqual(events.map(event => event.error?.reason), [undefined, 'order 1 has no lines', undefined])
})

test('durable and confirmed reject for an action that is not twinned', async () => {
  const app = await open('journal/foreign')
  const codes = await app.x(app => {
    const action = app.store.dispatch({ type: 'ui/toggled' })
    const code = promise => promise.then(() => 'resolved', error => error.code)
    return Promise.all([code(app.twin.durable(action)), code(app.twin.confirmed(action))])
  })
  assert.deepEqual(codes, ['not-twinned', 'not-twinned'])
  assert.deepEqual(await backend.events('journal/foreign'), [])
})

test('routing server, online: the store changes only with the verdict, exactly once', async () => {
  const stream = 'journal/server-routing'
  const app = await open(stream, { options: { routing: 'server' }, states: true })
  backend.freeze()
  try {
    await app.dispatch({ type: 'journal/add', payload: 'asked' })
    // Two frames and a round trip to the disk: time enough for a wrong store to change.
    await app.x(app => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))))
    assert.deepEqual(await app.state(), { list: [] })
    assert.deepEqual(await app.x(app => app.reduced), [], 'no reducer has seen it')
    assert.equal((await app.status()).pending, 1)
  } finally {
    backend.thaw()
  }
  await app.shows({ list: ['asked'] })
  await app.settled()
  assert.deepEqual(await app.x(app => app.reduced.map(({ type }) => type)), ['journal/add'], 'it came through next, once')
  assert.deepEqual(await app.x(app => app.states.filter(state => state !== '{"list":[]}')), ['{"list":["asked"]}'])
  assert.equal((await backend.events(stream)).length, 1)
})

test('routing server, online: a rejected action never enters the store', async () => {
  const stream = 'salesOrder/server-routing'
  const app = await open(stream, { options: { routing: 'server' }, states: true })
  const verdicts = await app.x(app => Promise.all([
    app.verdict(app.store.dispatch({ type: 'create', payload: { id: '1', customer: 'Ann' } })),
    app.verdict(app.store.dispatch({ type: 'confirm', payload: { id: '1' } })),
  ]))
  assert.deepEqual(verdicts[0], { seq: 1 })
  assert.equal(verdicts[1].code, 'rejected')
  await app.settled()
  assert.deepEqual(await app.x(app => app.reduced.map(({ type }) => type)), ['create'])
  const seen = await app.x(app => app.states)
  assert.ok(seen.every(state => !state.includes('confirmed')), 'no subscriber saw it confirmed')
})

test('routing server, offline: shown at once', async () => {
  const app = await open('journal/server-offline', { options: { routing: 'server' } })
  await app.x(app => app.twin.disconnect())
  await app.offline()
  await app.dispatch({ type: 'journal/add', payload: 'alone' })
  assert.deepEqual(await app.state(), { list: ['alone'] })
  await app.x(app => app.twin.connect())
  await app.settled()
  await until('one event', async () => (await backend.events('journal/server-offline')).length === 1)
  await app.shows({ list: ['alone'] })
})
