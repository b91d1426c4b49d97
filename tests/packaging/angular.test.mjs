/** The package in an app of the Angular CLI: the demo's build, which has it from the tarball, starts and connects. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { DEMO } from '../../scripts/build/demo.mjs'
import { at } from '../../scripts/lib/paths.mjs'
import { startBackend } from '../e2e/lib/backend.mjs'
import { launch } from '../e2e/lib/browser.mjs'

let backend, browser
before(async () => {
  ;[backend, browser] = await Promise.all([startBackend({ www: DEMO }), launch()])
})
after(async () => {
  await browser.close()
  await backend.close()
})

test('the demo holds the very WASM that was packed', () => {
  const wasm = readFileSync(at('dist/twinstore_bg.wasm'))
  assert.ok(readFileSync(at('www/node_modules/twinstore/dist/twinstore_bg.wasm')).equals(wasm))
  assert.ok(readFileSync(at(`${DEMO}/twinstore_bg.wasm`)).equals(wasm))
})

test('the demo starts, and its twin connects', async () => {
  const page = await browser.newPage()
  const errors = []
  page.on('pageerror', error => errors.push(String(error)))
  await page.goto(backend.httpUrl)
  await page.waitForFunction(`window.__twin?.status.link === 'online'`, null, { timeout: 30_000 })
  assert.deepEqual(errors, [])
})
