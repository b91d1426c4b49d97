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
  consumer = project()
  consumer.write('app.js', APP)
  consumer.write('server-side.js', SERVER_SIDE)
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

/** A store without Redux: the package asks for nothing but its shape. */
const STORE = `
const reducer = (state = { list: [] }, action) => (action.type === 'journal/add' ? { list: [...state.list, action.payload] } : state)
const makeStore = twin => {
  let state = twin.reducer(undefined, { type: '@@init' })
  const reduce = action => { state = twin.reducer(state, action); return action }
  const api = { getState: () => state, dispatch: action => dispatch(action) }
  const dispatch = twin.middleware(api)(reduce)
  return api
}
`

const APP = `import { createTwin, init } from 'twinstore'
${STORE}
const [url, stream, ws] = process.argv.slice(2)
if (ws) globalThis.WebSocket = (await import(ws)).default
await init()
const twin = createTwin({ url, stream, reducer })
const store = makeStore(twin)
await twin.ready
const seq = await twin.confirmed(store.dispatch({ type: 'journal/add', payload: 'from Node' }))
console.log(JSON.stringify({ seq, state: store.getState() }))
twin.close()
`

const SERVER_SIDE = `import { createTwin, init } from 'twinstore'
await import('./node_modules/twinstore/dist/index.js')
${STORE}
await init()
const twin = createTwin({ url: null, stream: 'journal/server-side', reducer })
const store = makeStore(twin)
await twin.ready
store.dispatch({ type: 'journal/add', payload: 'rendered' })
console.log(JSON.stringify({ ...store.getState(), link: twin.status.link }))
`
