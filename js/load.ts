/** The loading of the WASM, once for a page; and what is said where it was not, or could not be. */
import load, { initSync as loadSync } from '#wasm'
import { twinError } from './types.js'

const FILE = 'twinstore_bg.wasm'
let loaded = false

/**
 * Loads the WASM; call and await it once, before `createTwin`. Called again it does nothing.
 *
 * Without an argument the file is fetched from beside the package's own. Where a bundler or a server puts it elsewhere, give its URL
 * (`init(new URL('twinstore_bg.wasm', document.baseURI))`), a Response, the bytes, or a compiled module. Rejects with `no-wasm`.
 */
export async function init(wasm?: URL | string | Response | BufferSource | WebAssembly.Module): Promise<void> {
  try {
    await load(wasm === undefined ? undefined : { module_or_path: wasm })
  } catch (cause) {
    const message = `${FILE} could not be loaded: serve it, and give init its URL, as in init(new URL('${FILE}', document.baseURI)). ${cause}`
    throw Object.assign(twinError('no-wasm', message), { cause })
  }
  loaded = true
}

/** Like {@link init}, from bytes or a compiled module that are there already. */
export function initSync(module: BufferSource | WebAssembly.Module): void {
  loadSync({ module })
  loaded = true
}

/** Throws `no-init` where `init` has not ended yet. */
export function demandLoaded(): void {
  if (!loaded) throw twinError('no-init', 'the WASM is not loaded yet: `await init()` before createTwin')
}
