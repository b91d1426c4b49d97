/** What a page loads, gzip, against the ceiling and the budget. kB = 1000 bytes. */
import { existsSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { at } from '../lib/paths.mjs'
import { Failure } from '../lib/run.mjs'

/** What the package is to weigh. Not reached yet. */
export const BUDGET = 48_000
/** What it may weigh until then: it goes up only for what was lost or shown wrong without it. */
export const CEILING = 67_200
/** Each adapter by itself; it is loaded only by those who use its framework. */
const ADAPTER_BUDGET = 2_000

/** `{ wasm, glue, js, total, ngrx }` in bytes, gzip. */
export async function measure() {
  const gz = data => gzipSync(data, { level: 9 }).length
  const wasm = gz(readFileSync(at('dist/twinstore_bg.wasm')))
  const whole = gz(readFileSync(at('dist/index.js')))
  const glue = gz(await minified('pkg/twinstore.js'))
  const ngrx = existsSync(at('dist/ngrx.js')) ? gz(readFileSync(at('dist/ngrx.js'))) : 0
  // Glue and js/ are one file; what the file has beyond the glue alone is js/.
  return { wasm, glue, js: whole - glue, total: wasm + whole, ngrx }
}

export function check({ total, ngrx }) {
  if (total > CEILING) throw new Failure(`The package weighs ${kB(total)} gzip; the ceiling is ${kB(CEILING)}.`)
  if (ngrx > ADAPTER_BUDGET) throw new Failure(`twinstore/ngrx weighs ${kB(ngrx)} gzip; the budget is ${kB(ADAPTER_BUDGET)}.`)
}

/** The sentence that stands in the README. */
export const sentence = ({ wasm, glue, js, total, ngrx }) =>
  `${kB(total)} gzip in all (WASM ${kB(wasm)}, its glue ${kB(glue)}, js/ ${kB(js)}); the budget of ${kB(BUDGET)} is not met yet (kB = 1000 bytes)`
  + (ngrx ? `; \`twinstore/ngrx\` adds ${kB(ngrx)}` : '')

const kB = bytes => `${(bytes / 1000).toFixed(1)} kB`

async function minified(path) {
  const { transform } = await import('esbuild')
  return (await transform(readFileSync(at(path), 'utf8'), { minify: true, format: 'esm', target: 'es2022' })).code
}
