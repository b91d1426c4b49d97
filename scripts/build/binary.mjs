/** The binary format of WASM (https://webassembly.github.io/spec/core/binary/), as far as the build reads and writes it. */
export class Reader {
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

  bytesOf(length) {
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
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

/** LEB128, unsigned. */
export function number(value) {
  const bytes = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value & 127) | 128)
  return Buffer.from([...bytes, value])
}

export const text = string => Buffer.concat([number(Buffer.byteLength(string)), Buffer.from(string)])

export const section = (id, body) => Buffer.concat([Buffer.from([id]), number(body.length), body])
