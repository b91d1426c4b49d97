/** The package in a plain page: one script of type module, no bundler, no import map, the WASM found beside the script. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { startBackend } from '../e2e/lib/backend.mjs'
import { launch } from '../e2e/lib/browser.mjs'
import { project } from './lib/install.mjs'

let consumer, backend, site, browser
before(async () => {
  consumer = project('plain.html')
  site = await serve(consumer.folder)
  ;[backend, browser] = await Promise.all([startBackend(), launch()])
})
after(async () => {
  await browser.close()
  site.close()
  await backend.close()
  consumer.remove()
})

test('a plain script of type module dispatches and hears the verdict', async () => {
  const page = await browser.newPage()
  const errors = []
  page.on('pageerror', error => errors.push(String(error)))
  await page.goto(`http://127.0.0.1:${site.address().port}/plain.html?url=${encodeURIComponent(backend.url)}`)
  const said = await page.waitForFunction('window.said', null, { timeout: 30_000 }).catch(error => {
    throw errors.length > 0 ? new Error(errors.join('\n')) : error
  })
  assert.deepEqual(await said.jsonValue(), { seq: 1, state: { list: ['plain'] } })
  assert.deepEqual(await backend.state('journal/plain'), { list: ['plain'] })
})

function serve(folder) {
  const types = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' }
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://site').pathname
    try {
      const body = readFileSync(join(folder, path))
      response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' }).end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  return new Promise(done => server.listen(0, '127.0.0.1', () => done(server)))
}
