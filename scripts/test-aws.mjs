/** `npm run test:aws`: what is meant for AWS, against what comes nearest to it: the log and the functions on Amazon's own DynamoDB Local. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Failure, main, run } from './lib/run.mjs'
import { dynamoDbLocal, setupDynamoDbLocal } from './setup/dynamodb-local.mjs'

const START_MS = 60_000

await main(async () => {
  await setupDynamoDbLocal()
  const port = await freePort()
  const { folder, jar, libraries } = dynamoDbLocal
  const local = spawn('java',
    [`-Djava.library.path=${libraries}`, '-jar', jar, '-inMemory', '-sharedDb', '-disableTelemetry', '-port', `${port}`],
    { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  try {
    await listening(port, local)
    await run('cargo', ['test', '-p', 'twinstore-dynamodb', '-p', 'twinstore-lambda', '--tests'], { env: { TWINSTORE_DYNAMODB: `http://127.0.0.1:${port}` } })
  } finally {
    local.kill()
  }
})

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
