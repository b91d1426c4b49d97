/** Installs what is missing: `node scripts/setup.mjs [--tests]`. Idempotent; seconds when all is there. */
import { isMain, main } from './lib/run.mjs'
import { browser } from './setup/browser.mjs'
import { checkNode } from './setup/node.mjs'
import { node22 } from './setup/node22.mjs'
import { nodePackages } from './setup/packages.mjs'
import { postgres } from './setup/postgres.mjs'
import { dynoxide, wasmBindgen, wasmPack, wasmTarget } from './setup/rust.mjs'

/** What a build needs. */
export async function setup() {
  checkNode()
  await wasmTarget()
  await nodePackages()
  await wasmBindgen()
}

/** What the tests need besides. */
export async function setupTests() {
  await setup()
  await browser()
  await postgres()
  await node22()
  await wasmPack()
  await dynoxide()
}

if (isMain(import.meta.url))
  await main(() => (process.argv.includes('--tests') ? setupTests() : setup()))
