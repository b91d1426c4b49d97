/** The package in Node: 22 connects by itself, 20 with a WebSocket given to it; without a DOM nothing throws. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { after, before, test } from 'node:test'
import { startBackend } from '../e2e/lib/backend.mjs'
import { at } from '../../scripts/lib/paths.mjs'
import { findNode22 } from '../../scripts/setup/node22.mjs'
import { project } from './lib/install.mjs'

const node22 = findNode22()
let consumer, backend
before(async () => {
  consumer = project('store.js', 'app.js', 'server-side.js')
  backend = await startBackend()
})
after(async () => {
  await backend.close()
  consumer.remove()
})

test('Node with a WebSocket given to it', async () => {
  const ws = pathToFileURL(at('node_modules/ws/wrapper.mjs')).href
  assert.deepEqual(await runApp(process.execPath, 'journal/node', ws), { seq: 1, state: { list: ['from Node'] } })
  assert.deepEqual(await backend.state('journal/node'), { list: ['from Node'] })
})

test('Node 22 connects by itself', { skip: node22 ? false : 'no Node 22 is to be had here' }, async () => {
  assert.deepEqual(await runApp(node22, 'journal/node22'), { seq: 1, state: { list: ['from Node'] } })
})

test('on a server, without a DOM: imports, reduces, and lets the process end', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['server-side.js'], { cwd: consumer.folder, timeout: 30_000 })
  assert.deepEqual(JSON.parse(stdout), { list: ['rendered'], link: 'offline' })
})

async function runApp(node, stream, ws = '') {
  const { stdout } = await promisify(execFile)(node, ['app.js', backend.url, stream, ws], { cwd: consumer.folder, timeout: 60_000 })
  return JSON.parse(stdout)
}
