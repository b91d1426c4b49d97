/**
 * Tests of what is meant for AWS against what comes nearest to it: the log and the functions on Amazon's own DynamoDB Local;
 * then the end-to-end tests, in a real browser, with either topology in ministack as their backend.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { DEV, serverBinary } from '../build/server.mjs'
import { nodeTests } from '../lib/node-tests.mjs'
import { Failure, run } from '../lib/run.mjs'
import { findBrowser } from '../setup/browser.mjs'
import { dynamoDbLocal, setupDynamoDbLocal } from '../setup/dynamodb-local.mjs'
import { ministack } from '../setup/ministack.mjs'

const START_MS = 60_000
/**
 * Not those that count units: DynamoDB Local says 4 for one small item of a transaction and 4 for three of them, where AWS
 * bills 2 for each. Nor those whose functions die: that is about the functions, and takes minutes.
 */
const ON_DYNAMODB_LOCAL =
  ['appends_once', 'conforms', 'keeps_large_texts', 'asks_for_what_it_may', 'coupled', 'gateway_limits', 'lost_pushes', 'pipeline', 'tokens']
/** Those that need nothing of a backend that only a server has: no HTTP, no `from=start`, no limits of its own. */
const END_TO_END = ['convergence', 'demo-offline', 'rejection', 'thin-transcript', 'two-tabs', 'verdicts']

export async function onDynamoDbLocal(locked) {
  await setupDynamoDbLocal()
  const port = await freePort()
  const { folder, jar, libraries } = dynamoDbLocal
  const local = spawn('java',
    [`-Djava.library.path=${libraries}`, '-jar', jar, '-inMemory', '-sharedDb', '-disableTelemetry', '-port', `${port}`],
    { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  try {
    await listening(port, local)
    const tests = ON_DYNAMODB_LOCAL.flatMap(name => ['--test', name])
    await run('cargo', ['test', '-p', 'twinstore-dynamodb', '-p', 'twinstore-lambda', ...tests, ...locked],
      { env: { TWINSTORE_DYNAMODB: `http://127.0.0.1:${port}` } })
  } finally {
    local.kill()
  }
}

/** The functions' program, and a server that looks into their tables. */
export async function buildFunctions(locked) {
  await run('cargo', ['build', '-p', 'twinstore-lambda', ...locked])
  await run('cargo', ['build', '-p', 'twinstore', '--features', 'dynamodb', ...locked])
}

export async function endToEndOn(topology) {
  await ministack()
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
