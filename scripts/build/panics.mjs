/**
 * Panics in the WASM become plain traps: nothing shows a panic's message in a browser, but the code that formats
 * it weighs 4 kB. Names are needed to find it, so this runs before they are stripped.
 */
import { readFileSync, writeFileSync } from 'node:fs'

/** Functions that a panic alone calls, and the formatting that nothing else here uses. */
const PANICS = [
  /^(core|std|alloc|__rustc)\[[0-9a-f]+\]::(panicking|option::(unwrap|expect)_failed|result::unwrap_failed|cell::panic_|cell::lazy::panic)/,
  /^(core|std|alloc|__rustc)\[[0-9a-f]+\]::(slice::index::\w*fail|str::slice_error_fail|thread::local::panic|alloc::handle_alloc_error)/,
  /^alloc\[[0-9a-f]+\]::raw_vec::(handle_error|capacity_overflow)/,
  /rust_panic|::panicking::|^core\[[0-9a-f]+\]::fmt|fmt::(Write|Display|Debug) ?>/,
]

export async function trapPanics(file) {
  const { default: binaryen } = await import('binaryen')
  const module = binaryen.readBinary(readFileSync(file))
  let count = 0
  for (let i = 0; i < module.getNumFunctions(); i++) {
    const fn = module.getFunctionByIndex(i)
    const { name, module: importedFrom } = binaryen.getFunctionInfo(fn)
    if (importedFrom || !PANICS.some(pattern => pattern.test(name))) continue
    binaryen.Function.setBody(fn, module.unreachable())
    count++
  }
  // A compiler that names them otherwise must not make the package grow unseen.
  if (count < 20) throw new Error(`only ${count} functions of panics were found in ${file}: have their names changed?`)
  binaryen.setDebugInfo(true)
  writeFileSync(file, module.emitBinary())
  module.dispose()
}
