/** Keeps the README's figures and the budget true: checks them against dist/, or with `--write` writes them. */
import { readFileSync, writeFileSync } from 'node:fs'
import { build } from './build.mjs'
import { check, measure, sentence } from './build/sizes.mjs'
import { at } from './lib/paths.mjs'
import { Failure, main } from './lib/run.mjs'
import { say } from './lib/step.mjs'
import { setup } from './setup.mjs'

const MARKED = /(<!-- sizes -->)([\s\S]*?)(<!-- \/sizes -->)/

/** Another release of the compiler moves the figures a little; half a kB is let pass. */
const TOLERANCE_KB = 0.5

await main(async () => {
  await setup()
  await build()
  const readme = readFileSync(at('README.md'), 'utf8')
  const marked = readme.match(MARKED)
  if (!marked) throw new Failure('README.md has no <!-- sizes --> … <!-- /sizes -->.')
  const sizes = await measure()
  const figures = sentence(sizes)
  if (process.argv.includes('--write')) writeFileSync(at('README.md'), readme.replace(MARKED, `$1${figures}$3`))
  else if (!alike(marked[2].trim(), figures))
    throw new Failure(`README.md says “${marked[2].trim()}”, dist/ says “${figures}”. Run: npm run size -- --write`)
  say('README.md has the right figures')
  check(sizes)
})

function alike(said, measured) {
  const numbers = text => (text.match(/[\d.]+(?= kB)/g) ?? []).map(Number)
  const [a, b] = [numbers(said), numbers(measured)]
  return a.length === b.length && a.every((number, i) => Math.abs(number - b[i]) <= TOLERANCE_KB)
}
