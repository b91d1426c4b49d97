/**
 * Panics in the WASM become plain traps: nothing shows a panic's message in a browser, but the code that formats
 * it weighs 4 kB. Names are needed to find it, so this runs before they are stripped.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { Reader } from './binary.mjs'

const DATA = 11

/** Functions that a panic alone calls, and the formatting that nothing else here uses. */
const PANICS = [
  /^(core|std|alloc|__rustc)\[[0-9a-f]+\]::(panicking|option::(unwrap|expect)_failed|result::unwrap_failed|cell::panic_|cell::lazy::panic)/,
  /^(core|std|alloc|__rustc)\[[0-9a-f]+\]::(slice::index::\w*fail|str::slice_error_fail|thread::local::panic|alloc::handle_alloc_error)/,
  /^alloc\[[0-9a-f]+\]::raw_vec::(handle_error|capacity_overflow)/,
  /rust_panic|::panicking::|^core\[[0-9a-f]+\]::fmt|fmt::(Write|Display|Debug) ?>/,
]

/** What panics say, as the compiler and the crates wrote it: with nobody left to read it, 3 kB of text that gzip to 1.3. */
const TEXTS = new RegExp(
  [
    String.raw`[\w/.-]+\.rs(?![a-z])`,
    'slice index starts at ', ' but ends at ', 'range (start|end) index ', ' out of range for slice of length ',
    'assertion `left +right` failed(: )?', '  left: ', '\n right: ', String.raw`assertion failed: \(\*\w+\)\.value\.is_(none|some)\(\)`,
    'internal error: entered unreachable code(: )?', 'message event, received Unknown: ', 'JsValue passed is not an Error type -- this is a bug',
    'cannot access a Thread Local Storage value during or after destruction',
    String.raw`copy_from_slice: source slice length \(`, String.raw`\) does not match destination slice length \(`,
    'capacity overflow', 'mid > len', 'index out of bounds', 'Tried to shrink to a larger capacity', 'attempt to join into collection with len > usize::MAX',
    'attempted to take ownership of Rust value while it was borrowed', 'null pointer passed to rust',
    'recursive use of an object detected which would lead to unsafe aliasing in rust',
    'FnOnce called more than once', 'closure invoked recursively or after being dropped', '`async fn` resumed after completion',
    'buffer space exhausted; sending this messages would overflow the state', 'cannot clone `Sender` -- too many outstanding senders',
    'called `Result::unwrap\\(\\)` on an `Err` value', 'called `Option::unwrap(_throw)?\\(\\)` on a `None` value', 'js_value passed has no string representation',
    'a formatting trait implementation returned an error when the underlying stream did not', 'AccessError', 'LazyCell instance has previously been poisoned',
    'RefCell already (mutably )?borrowed', '0x0123456789ABCDEF', '00010203[0-9]+99', '==!=matches',
  ].join('|'), 'g')

/** Blanks the texts of panics in the module's data. */
export function blankTexts(file) {
  const wasm = readFileSync(file)
  const reader = new Reader(wasm, 8)
  while (reader.at < wasm.length) {
    const id = reader.byte()
    const data = reader.bytesOf(reader.number())
    // Bytes stay bytes, and their number the same: nothing in the module moves.
    if (id === DATA) data.write(data.toString('latin1').replace(TEXTS, found => '\0'.repeat(found.length)), 'latin1')
  }
  writeFileSync(file, wasm)
}

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
