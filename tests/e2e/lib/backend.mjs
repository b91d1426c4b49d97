/**
 * What the end-to-end tests need of a backend, so that others than SQLite can run them later:
 *
 * `url` of the socket, `httpUrl` (null where there is none), `takeAway()` without a warning, `bringBack()` with the
 * same data at the same address, `post(stream, action)` as another client, `events(stream)` and `state(stream)` as the
 * backend holds them, `close()`; `pushesMeet` where thin clients may hear later events first. That on SQLite also says
 * the `folder` of its files.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { env, root } from '../../../scripts/lib/paths.mjs'
import { DEV, serverBinary } from '../../../scripts/build/server.mjs'
import { startAwsBackend } from './aws-backend.mjs'
import { until } from './until.mjs'

const binary = process.env.TWINSTORE_SERVER ?? serverBinary(DEV)

export const MODELS = {
  salesOrder: 'examples/sales-order/reducer.js',
  workout: 'examples/workout/dist/model.js',
  journal: 'tests/e2e/models/journal.js',
  tally: 'tests/e2e/models/tally.js',
  clock: 'tests/e2e/models/clock.js',
}

/** In a backend's place: an address where none answers. */
export const NOWHERE = { url: 'ws://127.0.0.1:9/sync' }

/** The backend under test. `www`: a folder to serve; `batchMax`: the most actions in one commit; `flags`: more of its flags. */
export async function startBackend({ models = ['salesOrder', 'journal'], www, batchMax, flags = [] } = {}) {
  const topology = process.env.TWINSTORE_BACKEND
  if (topology) {
    const files = Object.fromEntries(models.map(name => [name, MODELS[name]]))
    return startAwsBackend({ topology, models: files, www, binary, freePort })
  }
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-e2e-'))
  const port = await freePort()
  const args = ['serve', '--listen', `127.0.0.1:${port}`, '--store', `sqlite:${join(folder, 'twinstore.db')}`,
    ...models.flatMap(name => ['--model', `${name}=${MODELS[name]}`]), ...(www ? ['--www', www] : []), ...flags]
  const httpUrl = `http://127.0.0.1:${port}`
  const json = async path => {
    const answer = await fetch(httpUrl + path)
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }
  let child
  let output = ''

  const backend = {
    name: 'SQLite',
    folder,
    url: `ws://127.0.0.1:${port}/sync`,
    httpUrl,
    /** kill -9, and waits until the process is gone. Synchronous up to the signal. */
    takeAway() {
      const gone = ended(child)
      child.kill('SIGKILL')
      return gone
    },
    async bringBack() {
      const limits = batchMax ? { TWINSTORE_BATCH_MAX: String(batchMax) } : {}
      child = spawn(binary, args, { cwd: root, env: { ...env, ...limits }, stdio: ['ignore', 'pipe', 'pipe'] })
      for (const stream of [child.stdout, child.stderr]) stream.on('data', data => { output += data })
      await until('the server answers', async () => {
        if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${output}`)
        return (await fetch(`${httpUrl}/healthz`)).ok
      })
    },
    /** Stops it where it is, so that a test sees what happens before an answer; and lets it go on. */
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
    /** An action of another client, or a list of them; resolves with their frames when they are in the log. */
    async post(stream, action) {
      const answer = await fetch(`${httpUrl}/streams/${encodeURIComponent(stream)}/actions`, { method: 'POST', body: JSON.stringify(action) })
      const frames = await answer.json()
      if (!answer.ok) throw new Error(JSON.stringify(frames))
      return frames
    },
    /** All events, in the order of the log. */
    async events(stream) {
      const events = []
      for (;;) {
        const page = await json(`/streams/${encodeURIComponent(stream)}/events?after=${events.length}&limit=1000`)
        if (page.events.length === 0) return events
        events.push(...page.events)
      }
    },
    async state(stream) {
      return (await json(`/streams/${encodeURIComponent(stream)}/state`)).state
    },
    async close() {
      if (child.exitCode === null && child.signalCode === null) await this.takeAway()
      rmSync(folder, { recursive: true, force: true })
    },
    /** What it printed, for a failed test's report. */
    output: () => output,
  }
  await backend.bringBack()
  return backend
}

const ended = child =>
  new Promise(done => (child.exitCode !== null || child.signalCode !== null ? done() : child.once('exit', done)))

/** Free now; the server that is killed comes back to the same one. */
function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer()
    probe.once('error', fail)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => done(port))
    })
  })
}
