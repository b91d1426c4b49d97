/** The long version of the tests that kill: `node scripts/kills.mjs [--kills 100] [--seed N]`. See docs/RELIABILITY.md. */
import { parseArgs } from 'node:util'
import { build } from './build.mjs'
import { buildModels } from './build/models.mjs'
import { DEV, buildServer, serverBinary } from './build/server.mjs'
import { nodeTests } from './lib/node-tests.mjs'
import { main } from './lib/run.mjs'
import { setupTests } from './setup.mjs'

const FILES = ['kills', 'bursts', 'five-tabs', 'torn-log'].map(name => `tests/e2e/${name}.test.mjs`)
const TIMEOUT_MS = 3_600_000

await main(async () => {
  const { values } = parseArgs({ options: { kills: { type: 'string', default: '100' }, seed: { type: 'string' } } })
  await setupTests()
  await build()
  await buildModels()
  await buildServer(DEV)
  await nodeTests(FILES, {
    concurrency: 1,
    timeoutMs: TIMEOUT_MS,
    env: { TWINSTORE_SERVER: serverBinary(DEV), TWINSTORE_KILLS: values.kills, ...(values.seed ? { TWINSTORE_SEED: values.seed } : {}) },
  })
})
