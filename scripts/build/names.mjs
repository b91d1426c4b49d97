/**
 * The names by which the WASM and its glue know each other: wasm-bindgen's are forty letters and a hash, in both
 * files. Here they become `a0`, `a1`, …: 4 kB less, and nobody else uses them.
 */
import { readFileSync, writeFileSync } from 'node:fs'

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
    out.push(name(reader.name()), name(shorten(reader.name())), reader.importType())
  }
  return Buffer.concat(out)
}

function exports(body, shorten) {
  const reader = new Reader(body, 0)
  const count = reader.number()
  const out = [number(count)]
  for (let i = 0; i < count; i++) {
    out.push(name(shorten(reader.name())), Buffer.from([reader.byte()]), number(reader.number()))
  }
  return Buffer.concat(out)
}

/** Reads the binary format of https://webassembly.github.io/spec/core/binary/ as far as it is needed here. */
class Reader {
  constructor(bytes, at) {
    this.bytes = bytes
    this.at = at
  }

  byte() {
    return this.bytes[this.at++]
  }

  /** LEB128, unsigned. */
  number() {
    for (let value = 0, weight = 1; ; weight *= 128) {
      const byte = this.byte()
      value += (byte & 127) * weight
      if (byte < 128) return value
    }
  }

  name() {
    const length = this.number()
    this.at += length
    return this.bytes.toString('utf8', this.at - length, this.at)
  }

  /** What is imported, as the bytes it stands in. Of its kinds a module of wasm-bindgen has functions, tables and memories. */
  importType() {
    const start = this.at
    const kind = this.byte()
    if (kind === 1) this.byte()
    const flags = this.number()
    if (kind === 1 || kind === 2) {
      this.number()
      if (flags & 1) this.number()
    } else if (kind !== 0) throw new Error(`an import of kind ${kind} is not known here`)
    return this.bytes.subarray(start, this.at)
  }
}

function number(value) {
  const bytes = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value & 127) | 128)
  return Buffer.from([...bytes, value])
}

const name = text => Buffer.concat([number(Buffer.byteLength(text)), Buffer.from(text)])
