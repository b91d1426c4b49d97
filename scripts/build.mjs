/** Builds the npm package into dist/ and prints what it weighs; leaves out what did not change. */
import { isMain, main } from './lib/run.mjs'
import { say } from './lib/step.mjs'
import { buildPackage } from './build/package.mjs'
import { check, measure, sentence } from './build/sizes.mjs'
import { buildWasm } from './build/wasm.mjs'
import { setup } from './setup.mjs'

export async function build() {
  await buildWasm()
  await buildPackage()
  say(`twinstore weighs ${sentence(await measure())}`)
}

if (isMain(import.meta.url))
  await main(async () => {
    await setup()
    await build()
    check(await measure())
  })
