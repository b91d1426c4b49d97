/** pkg/ and js/ → dist/: what the npm package holds. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { at } from '../lib/paths.mjs'
import { run } from '../lib/run.mjs'
import { unlessUnchanged } from '../lib/step.mjs'

const INPUTS = ['js', 'pkg', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json', 'scripts/build/package.mjs']
const ADAPTERS = ['ngrx']
/** Never in a bundle of ours: an adapter must speak of the app's own twin and framework. */
const EXTERNAL = ['twinstore', '@ngrx/store', '@angular/core', 'rxjs']

export async function buildPackage() {
  const outputs = ['dist/index.js', 'dist/index.d.ts', 'dist/node.js', 'dist/produce.js', 'dist/twinstore_bg.wasm']
  await unlessUnchanged('package', { inputs: INPUTS, outputs }, async () => {
    rmSync(at('dist'), { recursive: true, force: true })
    mkdirSync(at('dist'))
    copyFileSync(at('pkg/twinstore_bg.wasm'), at('dist/twinstore_bg.wasm'))
    const adapters = ADAPTERS.filter(name => existsSync(at(`js/${name}.ts`)))
    await bundle('index', [])
    for (const name of adapters) await bundle(name, EXTERNAL)
    // For the bundles of models only; no page loads it.
    await bundle('produce', [], 'js/produce/index.ts')
    writeFileSync(at('dist/node.js'), NODE)
    await run('tsc', ['-p', 'tsconfig.build.json'])
    keepTypes(['index', ...adapters, 'produce/index'])
  })
}

/** Of the declarations only those that an app can come to: others name modules that only this build knows. */
function keepTypes(entries) {
  const kept = new Set()
  const keep = file => {
    if (kept.has(file)) return
    kept.add(file)
    for (const [, path] of readFileSync(at('dist', file), 'utf8').matchAll(/['"](\.[^'"]+)\.js['"]/g)) keep(join(dirname(file), `${path}.d.ts`))
  }
  for (const entry of entries) keep(`${entry}.d.ts`)
  for (const file of readdirSync(at('dist'), { recursive: true }))
    if (file.endsWith('.d.ts') && !kept.has(file)) rmSync(at('dist', file))
}

/** One ES module. The glue's `new URL('twinstore_bg.wasm', import.meta.url)` is kept as it is, so a plain page finds the file. */
async function bundle(name, external, source = `js/${name}.ts`) {
  const { build } = await import('esbuild')
  await build({
    entryPoints: [at(source)],
    outfile: at(`dist/${name}.js`),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    legalComments: 'none',
    external,
    // The path in tsconfig.json leads to the sources; an adapter imports the package by its name.
    alias: { '#wasm': at('pkg/twinstore.js'), '#web': webHelpers() },
    tsconfigRaw: '{}',
    // wasm-bindgen lists a snippet once for each function it takes from there.
    logOverride: { 'duplicate-object-key': 'silent' },
    logLevel: 'warning',
  })
}

/** src/web.js as wasm-bindgen copied it, so that js/ and the glue share one module. */
const webHelpers = () => at(`pkg/snippets/${readdirSync(at('pkg/snippets'))[0]}/src/web.js`)

/** The `node` condition: the WASM is there on import, so `init()` has nothing left to do. */
const NODE = `import { readFileSync } from 'node:fs'
import { initSync } from './index.js'
initSync(readFileSync(new URL('./twinstore_bg.wasm', import.meta.url)))
export * from './index.js'
`
