/**
 * The package's front door: the loading of the WASM, and the public API.
 *
 * What decides lives in Rust (`src/`, `crates/engine`); TypeScript has what needs neither a rule nor Rust:
 * options, listeners, promises, locks. `dist/node.js` is the same door for Node.
 */
import load, { initSync as loadSync } from '#wasm'

export { createTwin } from './twin.js'
export { REBASE, REMOTE, isTwinError } from './types.js'
export type * from './types.js'

/**
 * Loads the WASM, once; call and await it before `createTwin`. Without an argument it is fetched from beside
 * this file; give a URL, a Response or the bytes where a bundler or a server puts it elsewhere.
 */
export async function init(wasm?: URL | string | Response | BufferSource | WebAssembly.Module): Promise<void> {
  await load(wasm === undefined ? undefined : { module_or_path: wasm })
}

/** Like {@link init}, from bytes that are there already. */
export function initSync(module: BufferSource | WebAssembly.Module): void {
  loadSync({ module })
}

