/** Runs the parts of a test run one after the other, goes on past a failure, and ends with a table. */
import { Failure } from './run.mjs'

/** `parts`: `[{ name, needs?, run }]`. A part whose need failed is left out, and says so. */
export async function runParts(parts) {
  const results = new Map()
  for (const part of parts) {
    const missing = (part.needs ?? []).find(need => results.has(need) && results.get(need).outcome !== 'ok')
    results.set(part.name, missing ? { outcome: `left out: ${missing} failed`, ms: 0 } : await runPart(part))
  }
  print(results)
  const failed = [...results].filter(([, { outcome }]) => outcome !== 'ok').map(([name]) => name)
  if (failed.length > 0) throw new Failure(`${failed.length} of ${results.size} parts failed: ${failed.join(', ')}`)
}

async function runPart({ name, run }) {
  console.log(`\n━━ ${name} ${'━'.repeat(Math.max(0, 76 - name.length))}`)
  const start = Date.now()
  try {
    await run()
    return { outcome: 'ok', ms: Date.now() - start }
  } catch (error) {
    console.error(error instanceof Failure ? `✗ ${name}: ${error.message}` : error)
    // Said once more below all the output: what must be installed by hand, for one.
    return { outcome: `failed: ${error.message}`, ms: Date.now() - start }
  }
}

function print(results) {
  const total = [...results.values()].reduce((sum, { ms }) => sum + ms, 0)
  console.log(`\n${'part'.padEnd(12)} ${'time'.padStart(9)}  outcome`)
  for (const [name, { outcome, ms }] of [...results, ['all', { outcome: '', ms: total }]])
    console.log(`${name.padEnd(12)} ${`${(ms / 1000).toFixed(1)} s`.padStart(9)}  ${outcome}`)
}
