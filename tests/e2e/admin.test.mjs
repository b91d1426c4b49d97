/**
 * The page for those who run the server: what happens now, what was done, and a stream's past, at the desk and on a phone.
 *
 * Pictures go to tests/output; with TWINSTORE_SCREENSHOTS=docs/screenshots the ones in docs/OPERATIONS.md are made anew.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { at } from '../../scripts/lib/paths.mjs'
import { startBackend } from './lib/backend.mjs'
import { stage } from './lib/stage.mjs'
import { thinClient } from './lib/thin.mjs'
import { until } from './lib/until.mjs'

const FOLDER = process.env.TWINSTORE_SCREENSHOTS ?? 'tests/output/screenshots'
const BYTES_MAX = 250_000
const SCREENS = {
  phone: { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  desktop: { viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
}
const ORDER = [
  { type: 'create', payload: { id: '1042', customer: 'Ann Sommer' } },
  { type: 'confirm', payload: { id: '1042' } },
  { type: 'addLine', payload: { id: '1042', line: { id: 'tea', sku: 'Tea, green', quantity: 2, price: 450 } } },
  { type: 'confirm', payload: { id: '1042' } },
]

let backend, browser
mkdirSync(at(FOLDER), { recursive: true })
stage({ site: false, browsers: 1 }, parts => ({ backend, browser } = parts))

for (const [screen, settings] of Object.entries(SCREENS))
  test(`${screen}: what happens, what was done, and the states of a stream`, async () => {
    const stream = `salesOrder/${screen}`
    const shows = place => showsPlace(page, stream, place)
    for (const action of ORDER) await backend.post(stream, action)
    for (const other of ['salesOrder/hall', 'journal/notes']) await backend.post(other, { type: 'note', payload: { id: '1' } })
    const { page, errors } = await open(settings)
    const thin = await thinClient(backend, stream)
    await until('the page says that it serves', async () => (await page.locator('#health').innerText()) === 'Serving')
    await until('the open socket is counted', async () => (await tile(page, 'Sockets')) === '1')

    thin.send({ type: 'cancel', payload: { id: '1042' } })
    await until('the action is drawn', async () => (await page.locator('#chart rect').count()) > 0)
    await page.locator('#count-again').click()
    await until('rejections are counted by their reasons', async () => /order 1042 has no lines/.test(await page.locator('#reasons').innerText()))
    assert.match(await page.locator('#types').innerText(), /create/)

    await page.locator(`#streams a[data-stream="${stream}"]`).click()
    const events = await backend.events(stream)
    await shows(events.length)
    // A rejected event changed nothing.
    const rejected = events.find(({ error }) => error).seq
    await page.goto(`${backend.httpUrl}/admin#/${encodeURIComponent(stream)}/${rejected}`)
    await shows(rejected)
    assert.match(await page.locator('#event').innerText(), /rejected, invalid: order 1042 has no lines/)
    assert.match(await page.locator('#diff').innerText(), /Nothing: it was rejected/)
    // One on, by the keyboard: a line is added.
    await page.locator('#place').focus()
    await page.keyboard.press('ArrowRight')
    await shows(rejected + 1)
    assert.match(await page.locator('#diff').innerText(), /Tea/)
    assert.equal(JSON.parse(await page.locator('#state').innerText()).entities['1042'].status, 'draft')
    await page.locator('#on').click()
    await shows(rejected + 2)
    assert.match(await page.locator('#diff').innerText(), /draft.*confirmed/s)

    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), 'nothing is wider than the screen')
    await shot(page, `admin-${screen}`)
    thin.close()
    assert.deepEqual(errors, [])
  })

test('with a token: only who has it sees anything', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-admin-'))
  const token = 'a-token-of-the-operator-0123456789-abcdef'
  writeFileSync(join(folder, 'token'), `${token}\n`, { mode: 0o600 })
  const guarded = await startBackend({ flags: ['--admin-token-file', join(folder, 'token')] })
  try {
    const { page, errors } = await open(SCREENS.desktop, guarded)
    await page.locator('#sign-in').waitFor()
    assert.equal(await page.locator('#main').isVisible(), false)
    await signIn(page, `${token}x`)
    await until('the wrong one is refused', async () => /not the one/.test(await page.locator('#sign-in-error').innerText()))
    await signIn(page, token)
    await page.locator('#main').waitFor()
    await until('the page says that it serves', async () => (await page.locator('#health').innerText()) === 'Serving')
    await page.reload()
    await page.locator('#main').waitFor()
    assert.equal((await fetch(`${guarded.httpUrl}/admin/metrics`)).status, 401)
    assert.deepEqual(errors, [])
  } finally {
    await guarded.close()
    rmSync(folder, { recursive: true, force: true })
  }
})

test('a server that goes away and comes back is seen', async () => {
  const { page } = await open(SCREENS.desktop)
  const health = page.locator('#health')
  await until('it serves', async () => (await health.innerText()) === 'Serving')
  await backend.takeAway()
  await until('nobody answers', async () => (await health.innerText()) === 'No answer')
  await backend.bringBack()
  await until('it serves again', async () => (await health.innerText()) === 'Serving')
})

async function open(settings, at = backend) {
  const profile = await browser.newContext({ ...settings, reducedMotion: 'reduce' })
  const page = await profile.newPage()
  const errors = []
  page.on('pageerror', error => errors.push(String(error)))
  await page.goto(`${at.httpUrl}/admin`)
  return { page, errors }
}

async function signIn(page, token) {
  await page.locator('#token').fill(token)
  await page.locator('#sign-in button').click()
}

const tile = (page, name) => page.locator(`#tiles [data-tile="${name}"] dd`).first().innerText()

const showsPlace = (page, stream, place) =>
  until(`event ${place} is shown`, async () => (await page.locator('#past').getAttribute('data-shows')) === `${stream} ${place}`)

async function shot(page, name) {
  const path = at(FOLDER, `${name}.png`)
  await page.screenshot({ path, animations: 'disabled', fullPage: true })
  assert.ok(statSync(path).size < BYTES_MAX, `${name}.png is small`)
}
