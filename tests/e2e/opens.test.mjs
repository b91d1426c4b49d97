/** `open` in real Chromium: another login on a shared device, in one tab and in two, over a reload; listeners that are called meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openApp } from './lib/browser.mjs'
import { stage } from './lib/stage.mjs'

const stream = 'journal/shared'
let backend, site, browser
stage({ browsers: 1 }, parts => ({ backend, site, browser } = parts))

const say = (app, payload) => app.x((app, payload) => app.twin.durable(app.store.dispatch({ type: 'journal/add', payload })), payload)
const go = (app, user) => app.x((app, user) => app.twin.open({ user }), user)

test('what one user left offline the other neither sees nor sends; the slice changes by one step', async () => {
  const profile = await browser.newContext()
  const tabOf = user => openApp(profile, site, { backend, model: 'journal', stream, options: { user, name: 'journal' }, states: true })
  const [tab, beside] = [await tabOf('ann'), await tabOf('ann')]
  for (const app of [tab, beside]) await app.online()
  await backend.takeAway()
  for (const app of [tab, beside]) await app.offline()
  await say(tab, 'of ann')
  await say(beside, 'of ann too')
  for (const app of [tab, beside]) await app.shows({ list: ['of ann', 'of ann too'] })

  await go(tab, 'bob')
  await tab.shows({ list: [] })
  await beside.shows({ list: ['of ann', 'of ann too'] })
  await say(tab, 'of bob')
  await backend.bringBack()
  for (const app of [tab, beside]) await app.settled()
  const said = async () => (await backend.events(stream)).map(event => event.action.payload).sort()
  assert.deepEqual(await said(), ['of ann', 'of ann too', 'of bob'])

  await backend.takeAway()
  for (const app of [tab, beside]) await app.offline()
  await say(tab, 'of bob alone')
  const before = (await tab.x(app => app.states)).length
  await go(tab, 'ann')
  await tab.shows(await beside.state())
  assert.equal((await tab.x(app => app.states)).length, before + 1, 'from one stored state to the other, without one between')
  await tab.page.close()
  await beside.page.close()

  const back = await tabOf('bob')
  assert.ok((await back.state()).list.includes('of bob alone'))
  await backend.bringBack()
  await back.settled()
  assert.deepEqual(await said(), ['of ann', 'of ann too', 'of bob', 'of bob alone'])
  assert.deepEqual([...tab.errors, ...beside.errors, ...back.errors], [])
  await profile.close()
})

/** A page on one stream, with an action there that waits. */
async function waiting(stream) {
  const profile = await browser.newContext()
  const app = await openApp(profile, site, { backend, model: 'journal', stream, options: { name: 'journal' } })
  await app.online()
  await app.x(app => app.twin.disconnect())
  await say(app, 'waits')
  await app.x(app => app.twin.connect())
  return app
}

const log = async stream => (await backend.events(stream)).map(event => event.action.payload)

test('a listener that is called while another stream opens meets that one: its pending list, its `ready`, its outbox', async () => {
  const [first, second] = ['journal/from', 'journal/to']
  const app = await waiting(first)
  const seen = await app.x(async ({ twin, store }, second) => {
    const seen = []
    const off = twin.subscribe(() => {
      if (twin.stream !== second) return
      off()
      const isReady = twin.ready
      store.dispatch({ type: 'journal/add', payload: 'at once' })
      seen.push(twin.status.cursor, twin.pending().map(({ action }) => action.payload), isReady)
    })
    await twin.open({ stream: second })
    seen[2] = await seen[2].then(() => true, error => error.code)
    return seen
  }, second)
  assert.deepEqual(seen, [0, ['at once'], true])
  await app.settled()
  assert.deepEqual(await log(second), ['at once'])
  await app.shows({ list: ['at once'] })
  assert.deepEqual(app.errors, [])
  await app.page.context().close()
})

test('a listener that opens a third stream while the second one opens: the third counts', async () => {
  const [second, third] = ['journal/second', 'journal/third']
  const app = await waiting('journal/first')
  const codes = await app.x(async ({ twin, store }, [second, third]) => {
    let opened
    const off = twin.subscribe(() => {
      if (twin.stream !== second) return
      off()
      opened = twin.open({ stream: third })
    })
    const code = await twin.open({ stream: second }).then(() => 'opened', error => error.code)
    await opened
    await twin.confirmed(store.dispatch({ type: 'journal/add', payload: 'third' }))
    return [code, twin.stream]
  }, [second, third])
  assert.deepEqual(codes, ['closed', third])
  assert.deepEqual([await log(second), await log(third)], [[], ['third']])
  await app.shows({ list: ['third'] })
  assert.deepEqual(app.errors, [])
  await app.page.context().close()
})
