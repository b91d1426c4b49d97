/** A page that is killed between its push and the answer: the next one tells what the server decided meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from './lib/browser.mjs'
import { killRenderer } from './lib/kills.mjs'
import { stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

let backend, site, browser
stage({ backend: { models: ['salesOrder'] }, chromium: true }, parts => ({ backend, site, chromium: browser } = parts))

for (const [what, action, verdict] of [
  ['a rejection, with its code, its reason and the action', { type: 'confirm', payload: { id: '1' } }, { name: 'rejected', seq: 2, code: 'invalid', reason: 'order 1 has no lines' }],
  ['a confirmation, with its place', { type: 'update', payload: { id: '1', customer: 'Bo' } }, { name: 'confirmed', seq: 2 }],
])
  test(`the next page is told of ${what}`, async () => {
    const stream = `salesOrder/${verdict.name}`
    const open = () => openApp(browser, site, { backend, model: 'salesOrder', stream })
    const dying = await open()
    await dying.x(app => app.verdict(app.store.dispatch({ type: 'create', payload: { id: '1', customer: 'Ann' } })))
    backend.freeze()
    try {
      await dying.x((app, action) => app.twin.durable(app.store.dispatch(action)), action)
      await until('it is sent', () => dying.x(app => app.twin.pending()[0]?.state === 'sent'))
      await killRenderer(dying)
    } finally {
      backend.thaw()
    }
    await until('the server has decided', async () => (await backend.events(stream)).length === 2)

    const next = await open()
    await next.settled()
    await until('it is told', async () => (await next.x(app => app.notices)).length > 0)
    const [{ action: told, ...notice }, ...others] = await next.x(app => app.notices)
    assert.deepEqual([notice, others], [verdict, []])
    assert.deepEqual({ type: told.type, payload: told.payload }, action)
    await next.shows(await backend.state(stream))
    assert.deepEqual(next.errors, [])
    await next.page.close()
  })
