/** The parts of `npm test`: one that fails keeps only those from running that need it, and says why below all output. */
import { test } from 'node:test'
import { runParts } from '../../scripts/lib/parts.mjs'
import { Failure } from '../../scripts/lib/run.mjs'
import { assert, rejectionOf } from './lib/rig.mjs'

test('what cannot be installed is said at the end; the parts that do not need it run', async () => {
  const { log, error } = console
  const printed = []
  console.log = console.error = line => printed.push(String(line))
  const ran = []
  let failure
  try {
    failure = await rejectionOf(runParts([
      { name: 'browser', run: () => { throw new Failure('Install Chromium.') } },
      { name: 'unit', run: () => void ran.push('unit') },
      { name: 'e2e', needs: ['browser'], run: () => void ran.push('e2e') },
      { name: 'kills', needs: ['e2e'], run: () => void ran.push('kills') },
    ]))
  } finally {
    Object.assign(console, { log, error })
  }
  assert.deepEqual(ran, ['unit'])
  assert.match(failure.message, /3 of 4 parts failed: browser, e2e, kills/)
  const table = printed.slice(-5).map(line => line.replace(/ +[\d.]+ s +/, ' ').trim())
  assert.deepEqual(table, ['browser failed: Install Chromium.', 'unit ok', 'e2e left out: browser failed', 'kills left out: e2e failed', 'all'])
})
