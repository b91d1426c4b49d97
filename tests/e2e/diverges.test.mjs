/** In Chromium: checksums are those of the server, and a reducer that reads the clock is caught and healed. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { at } from '../../scripts/lib/paths.mjs'
import { canonical, openApp } from './lib/browser.mjs'
import { stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

let backend, site, browser
stage({ backend: { models: ['clock'] }, browsers: 1 }, parts => ({ backend, site, browser } = parts))

test('the sums of tests/checksums.json', async () => {
  const rows = JSON.parse(readFileSync(at('tests/checksums.json'), 'utf8'))
  const source = readFileSync(at('src/checksum.js'), 'utf8').replace('export class', 'class')
  const page = await browser.newPage()
  const sums = await page.evaluate(([source, states]) => {
    const Checksums = new Function(`${source}\nreturn Checksums`)()
    return states.map(state => new Checksums().of(JSON.parse(state)))
  }, [source, rows.map(({ state }) => state)])
  assert.deepEqual(sums, rows.map(({ sum }) => sum))
})

test('a reducer that reads the clock: found, told and healed, in the tab that leads and in the one that follows', async () => {
  const stream = 'clock/two-tabs'
  const profile = await browser.newContext()
  const open = () => openApp(profile, site, { backend, model: 'clock', stream })
  const [one, two] = [await open(), await open()]
  await Promise.all([one.online(), two.online()])
  assert.deepEqual([(await one.status()).role, (await two.status()).role], ['leader', 'follower'])

  await backend.takeAway()
  await Promise.all([one.offline(), two.offline()])
  await two.dispatch({ type: 'clock/add', payload: 'pending' })
  await backend.bringBack()
  await backend.post(stream, { type: 'clock/add', payload: 'theirs' })
  const told = app => until('it is told', async () => (await divergences(app)).length > 0, { seen: app.status })
  await Promise.all([told(one), told(two)])
  await Promise.all([one.settled(), two.settled()])
  const state = await until('both actions are there', async () => {
    const there = await backend.state(stream)
    return there.list.length === 2 && there
  })
  assert.deepEqual([...state.list].sort(), ['pending', 'theirs'])
  for (const app of [one, two]) {
    await app.shows(state)
    for (const { paths } of await divergences(app)) assert.ok(paths.includes('/at'), canonical(paths))
    assert.equal((await app.status()).lastError.code, 'diverged')
  }
})

const divergences = app => app.x(({ notices }) => notices.filter(({ name }) => name === 'diverged'))
