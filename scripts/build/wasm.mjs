/** src/ → pkg/: the WASM and wasm-bindgen's glue, then made small. */
import { copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { at, targetDir } from '../lib/paths.mjs'
import { read, run } from '../lib/run.mjs'
import { unlessUnchanged } from '../lib/step.mjs'
import { shortenNames } from './names.mjs'
import { nameByLikeness } from './order.mjs'
import { blankTexts, trapPanics } from './panics.mjs'

const SOURCES = ['Cargo.toml', 'Cargo.lock', 'src', 'crates/protocol', 'crates/engine']
const TARGET = 'wasm32-unknown-unknown'

export async function buildWasm() {
  const inputs = [...SOURCES, 'scripts/build/wasm.mjs', 'scripts/build/binary.mjs', 'scripts/build/names.mjs', 'scripts/build/order.mjs', 'scripts/build/panics.mjs']
  const outputs = ['pkg/twinstore.js', 'pkg/twinstore.d.ts', 'pkg/twinstore_bg.wasm']
  await unlessUnchanged('WASM', { inputs, outputs }, async () => {
    rmSync(at('pkg'), { recursive: true, force: true })
    // Of the library's two kinds that one alone which ships: beside an rlib nothing is optimised across crates (6 kB).
    await run('cargo', ['rustc', '-p', 'twinstore-web', '--lib', '--crate-type', 'cdylib', '--profile', 'wasm', '--target', TARGET], { env: { RUSTFLAGS: withoutPaths() } })
    const built = join(targetDir, TARGET, 'wasm/twinstore_web.wasm')
    await run('wasm-bindgen', ['--target', 'web', '--out-name', 'twinstore', '--out-dir', 'pkg', built])
    // Of the scripts wasm-bindgen copies those that Rust itself names.
    const copies = at('pkg/snippets', readdirSync(at('pkg/snippets'))[0], 'src')
    for (const script of readdirSync(at('src')).filter(name => name.endsWith('.js'))) copyFileSync(at('src', script), join(copies, script))
    // npm obeys a .gitignore of `*` even against `files`: empty packages have shipped that way.
    rmSync(at('pkg/.gitignore'), { force: true })
    await trapPanics(at('pkg/twinstore_bg.wasm'))
    await optimise('pkg/twinstore_bg.wasm')
    blankTexts(at('pkg/twinstore_bg.wasm'))
    shortenNames(at('pkg/twinstore_bg.wasm'), at('pkg/twinstore.js'))
  })
}

/** For the smallest gzip (each step measured): blocks and locals found anew, `-Oz` twice, little inlining. The features are stripped last, they tell wasm-opt what it may use. */
async function optimise(file) {
  await run('wasm-opt', ['--flatten', '--rereloop', '-Oz', '-Oz', '--one-caller-inline-max-function-size=20', '--strip-debug', '--strip-producers', file, '-o', file])
  nameByLikeness(at(file))
  await run('wasm-opt', ['--reorder-functions-by-name', '--strip-debug', '--strip-target-features', file, '-o', file])
}

/** What the compiler writes of where its sources lie: names no folder of the machine that built it. */
function withoutPaths() {
  const sources = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'registry/src')
  const folders = existsSync(sources) ? readdirSync(sources).map(folder => join(sources, folder)) : []
  const standard = join(read('rustc', ['--print', 'sysroot']).trim(), 'lib/rustlib/src/rust')
  return [...folders, standard, at('.')].map(folder => `--remap-path-prefix=${folder}=`).join(' ')
}
