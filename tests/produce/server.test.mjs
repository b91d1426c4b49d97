/**
 * The server looks only at what `twinstore/produce` says may have changed (`harness.js`). It finds the same with immer, which says
 * nothing: the same verdicts, changed records and state.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { modelOptions } from '../../examples/build.js'
import { seeded } from '../../examples/random.js'
import { at } from '../../scripts/lib/paths.mjs'

const ACTIONS = 2_000
const KEYS = ['a', 'b', 'c', 'toString', '7', ...Array.from({ length: 30 }, (_, i) => `k${i}`)]
const OFTEN = ['put', 'put', 'put', 'remove', 'change', 'change', 'unset', 'line', 'lines', 'look', 'copy']
const RARE = ['wrong', 'missing', 'throw']

test('the same verdicts, changes and states as with immer', async () => {
  const immer = await open({})
  const ours = await open({ immer: at('js/produce/index.ts') })
  const dice = seeded(1)
  const verdicts = new Map()
  for (let i = 0; i < ACTIONS; i++) {
    const action = JSON.stringify(randomAction(dice))
    const verdict = immer.decide(action, i)
    assert.equal(ours.decide(action, i), verdict, action)
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    if (dice.chance(0.3)) assert.deepEqual(sorted(ours.changes()), sorted(immer.changes()), `after ${i} actions: ${action}`)
    if (dice.chance(0.05)) assert.equal(ours.state(), immer.state())
    if (dice.chance(0.003)) for (const model of [immer, ours]) model.load(model.state())
  }
  assert.equal(ours.records(), immer.records())
  assert.ok(verdicts.get('') > ACTIONS / 2, 'most were accepted')
  assert.ok(verdicts.size > 4, 'others were not, for several reasons')
})

/** In a realm of its own, as in the server, with the server's harness. */
async function open(alias) {
  const { outputFiles } = await build({
    ...modelOptions, entryPoints: [at('tests/produce/models/records.js')], format: 'iife', globalName: 'model', alias, write: false,
  })
  const realm = createContext({})
  const harness = runInContext(readFileSync(at('crates/server/src/reducer/harness.js'), 'utf8'), realm)
  const surround = harness({ reasonChars: 200, stateDepth: 64, Checksums: class {} })
  runInContext(outputFiles[0].text, realm)
  const calls = surround(runInContext('model', realm), 'records')
  calls.init(0)
  return calls
}

function randomAction(dice) {
  const kind = dice.below(60)
  if (kind === 0) return { type: 'records/cleared' }
  if (kind < 4) return { type: 'records/merged', payload: { [dice.pick(KEYS)]: { value: kind, list: [] } } }
  return { type: 'records/changed', payload: Array.from({ length: 1 + dice.below(4) }, () => randomChange(dice)) }
}

function randomChange(dice) {
  const what = dice.pick(dice.chance(0.025) ? RARE : OFTEN)
  return [what, dice.pick(KEYS), what === 'copy' ? dice.pick(KEYS) : dice.below(3)]
}

/** In what order changed records are told is not laid down. */
const sorted = changes => JSON.parse(changes).map(row => JSON.stringify(row)).sort()
