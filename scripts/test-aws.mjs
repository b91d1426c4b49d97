/**
 * `npm run test:aws`: what is meant for AWS against what comes nearest to it, or the parts that are named. The log and the
 * functions on Amazon's own DynamoDB Local; then end to end in a real browser, both topologies in ministack.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { build } from './build.mjs'
import { buildDemo } from './build/demo.mjs'
import { buildModels } from './build/models.mjs'
import { DEV, serverBinary } from './build/server.mjs'
import { nodeTests } from './lib/node-tests.mjs'
import { runParts } from './lib/parts.mjs'
import { Failure, main, run } from './lib/run.mjs'
import { setupTests } from './setup.mjs'
import { findBrowser } from './setup/browser.mjs'
import { dynamoDbLocal, setupDynamoDbLocal } from './setup/dynamodb-local.mjs'
import { ministack } from './setup/ministack.mjs'

const START_MS = 60_000
/** Those that need nothing of a backend that only a server has: no HTTP, no `from=start`, no limits of its own. */
const END_TO_END = ['convergence', 'demo-offline', 'rejection', 'thin-transcript', 'two-tabs', 'verdicts']

const PARTS = [
  { name: 'setup', run: setup },
  { name: 'dynamodb', needs: ['setup'], run: onDynamoDbLocal },
  { name: 'build', needs: ['setup'], run: builds },
  { name: 'coupled', needs: ['build'], run: () => endToEnd('coupled') },
  { name: 'pipeline', needs: ['build'], run: () => endToEnd('pipeline') },
]

await main(() => {
  const named = process.argv.slice(2)
  const unknown = named.find(name => !PARTS.some(part => part.name === name))
  if (unknown) throw new Failure(`there is no part ${unknown}; the parts are ${PARTS.map(({ name }) => name).join(', ')}`)
  return runParts(PARTS.filter(({ name }) => named.length === 0 || withNeeds(named).has(name)))
})

/** A part that is named brings what it needs. */
function withNeeds(names) {
  const all = new Set(names)
  for (const name of all) for (const need of PARTS.find(part => part.name === name).needs ?? []) all.add(need)
  return all
}

async function setup() {
  await setupTests()
  await setupDynamoDbLocal()
  await ministack()
}

async function builds() {
  await build()
  await buildModels()
  await buildDemo()
  await run('cargo', ['build', '-p', 'twinstore-lambda'])
  await run('cargo', ['build', '-p', 'twinstore', '--features', 'dynamodb'])
}

async function onDynamoDbLocal() {
  const port = await freePort()
  const { folder, jar, libraries } = dynamoDbLocal
  const local = spawn('java',
    [`-Djava.library.path=${libraries}`, '-jar', jar, '-inMemory', '-sharedDb', '-disableTelemetry', '-port', `${port}`],
    { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  try {
    await listening(port, local)
    await run('cargo', ['test', '-p', 'twinstore-dynamodb', '-p', 'twinstore-lambda', '--tests'],
      { env: { TWINSTORE_DYNAMODB: `http://127.0.0.1:${port}` } })
  } finally {
    local.kill()
  }
}

async function endToEnd(topology) {
  await nodeTests(END_TO_END.map(name => `tests/e2e/${name}.test.mjs`), {
    concurrency: 1,
    timeoutMs: 600_000,
    env: { CHROMIUM_PATH: findBrowser().chromium, TWINSTORE_SERVER: serverBinary(DEV), TWINSTORE_BACKEND: topology },
  })
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function listening(port, child) {
  for (const end = Date.now() + START_MS; Date.now() < end; await pause(100)) {
    if (child.exitCode !== null) throw new Failure('DynamoDB Local does not start')
    const socket = connect(port, '127.0.0.1')
    const open = await new Promise(resolve => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)))
    socket.destroy()
    if (open) return
  }
  throw new Failure('DynamoDB Local does not answer')
}
