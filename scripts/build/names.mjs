/**
 * The names by which the WASM and its glue know each other: wasm-bindgen's are forty letters and a hash, in both
 * files. Here they become `a0`, `a1`, …: 4 kB less, and nobody else uses them.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { Reader, number, text } from './binary.mjs'

/** Names that wasm-bindgen makes; what it exports of ours keeps its name. */
const MADE = /^(__wbg_\w+_[0-9a-f]{16}|__wbindgen_generic_[0-9a-f]{16}|wasm_bindgen__convert__closures_____invoke__h[0-9a-f]{16}(_\d+)?)$/
const IMPORTS = 2
const EXPORTS = 7

export function shortenNames(wasmFile, glueFile) {
  const shorter = new Map()
  const shorten = name => {
    if (!MADE.test(name)) return name
    if (!shorter.has(name)) shorter.set(name, `a${shorter.size.toString(36)}`)
    return shorter.get(name)
  }
  writeFileSync(wasmFile, rewrite(readFileSync(wasmFile), shorten))
  const glue = readFileSync(glueFile, 'utf8')
    .replace(/\b(__wb|wasm_bindgen__)\w+\b/g, name => shorter.get(name) ?? name)
    // For printing a value in a panic, which nothing asks for any more.
    .replace(/^ {8}__wbg___wbindgen_debug_string_\w+: function[^]*?^ {8}\},\n/m, '')
  writeFileSync(glueFile, glue)
}

/** The module with its import and export names changed. */
function rewrite(wasm, shorten) {
  const out = [wasm.subarray(0, 8)]
  const reader = new Reader(wasm, 8)
  while (reader.at < wasm.length) {
    const id = reader.byte()
    const end = reader.number() + reader.at
    const body = wasm.subarray(reader.at, end)
    const section = id === IMPORTS ? imports(body, shorten) : id === EXPORTS ? exports(body, shorten) : body
    out.push(Buffer.from([id]), number(section.length), section)
    reader.at = end
  }
  return Buffer.concat(out)
}

function imports(body, shorten) {
  const reader = new Reader(body, 0)
  const count = reader.number()
  const out = [number(count)]
  for (let i = 0; i < count; i++) {
    out.push(text(reader.name()), text(shorten(reader.name())), reader.importType())
  }
  return Buffer.concat(out)
}

function exports(body, shorten) {
  const reader = new Reader(body, 0)
  const count = reader.number()
  const out = [number(count)]
  for (let i = 0; i < count; i++) {
    out.push(text(shorten(reader.name())), Buffer.from([reader.byte()]), number(reader.number()))
  }
  return Buffer.concat(out)
}
