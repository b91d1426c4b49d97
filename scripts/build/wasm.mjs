/** src/ → pkg/: the WASM and wasm-bindgen's glue, then made small. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { at, targetDir } from '../lib/paths.mjs'
import { run } from '../lib/run.mjs'
import { unlessUnchanged } from '../lib/step.mjs'
import { trapPanics } from './panics.mjs'

const SOURCES = ['Cargo.toml', 'Cargo.lock', 'src', 'crates/protocol', 'crates/engine']
const TARGET = 'wasm32-unknown-unknown'

export async function buildWasm() {
  const inputs = [...SOURCES, 'scripts/build/wasm.mjs', 'scripts/build/panics.mjs']
  const outputs = ['pkg/twinstore.js', 'pkg/twinstore.d.ts', 'pkg/twinstore_bg.wasm']
  await unlessUnchanged('WASM', { inputs, outputs }, async () => {
    rmSync(at('pkg'), { recursive: true, force: true })
    await run('cargo', ['build', '-p', 'twinstore-web', '--lib', '--profile', 'wasm', '--target', TARGET])
    const built = join(targetDir, TARGET, 'wasm/twinstore_web.wasm')
    await run('wasm-bindgen', ['--target', 'web', '--out-name', 'twinstore', '--out-dir', 'pkg', built])
    // npm obeys a .gitignore of `*` even against `files`: empty packages have shipped that way.
    rmSync(at('pkg/.gitignore'), { force: true })
    await trapPanics(at('pkg/twinstore_bg.wasm'))
    await optimise('pkg/twinstore_bg.wasm')
  })
}

/** `-Oz` gives the smallest gzip, and less inlining a smaller one yet (2.9 kB of 65, measured); the features are stripped last, they tell wasm-opt what it may use. */
async function optimise(file) {
  await run('wasm-opt', ['-Oz', '--one-caller-inline-max-function-size=10', '--strip-debug', '--strip-producers', '--strip-target-features', file, '-o', file])
}
