/**
 * The checksum of a state: the same number in the browser and in the server, whose reducers' runtime evaluates this
 * very file; `crates/server/src/reducer/checksum.rs` is the same for native reducers.
 *
 * A state is JSON: the order of keys says nothing, a field that is undefined is absent, −0 is 0. What an object or a
 * list adds up to is the sum of its fields' numbers, so that a change costs what changed: its containers' keys are
 * compared with those of the last state, what was there before is subtracted, what is there now is added. States are
 * immutable; of one that was changed in place this knows nothing.
 */

/** Sums stay below this, so that adding two is exact. */
const MODULUS = 2 ** 52
const WORD = 2 ** 32

/** What kind of value is mixed in, and what an empty object or list adds up to: any numbers that differ. */
const NULL = 1, FALSE = 2, TRUE = 3, WHOLE = 4, NUMBER = 5, TEXT = 6, FIELD = 7, ITEM = 8
const OBJECT = 0x5bd1e995_7f4a7, LIST = 0x1b873593_9e377

const { keys } = Object
const { isArray } = Array
const { imul } = Math
const owns = Object.prototype.hasOwnProperty
const view = new DataView(new ArrayBuffer(8))

/** Sums of states of one kind, of which each is mostly the one before. */
export class Checksums {
  /** Of each object and list that was seen. */
  #sums = new WeakMap()
  #last

  /** The checksum of a state; NaN where there is none, as of one in a circle. */
  of(state) {
    try {
      const sum = this.#sum(state, this.#last)
      this.#last = state
      return sum
    } catch {
      return NaN
    }
  }

  /** `before`: what was in its place, whose sum is known. */
  #sum(value, before) {
    if (!isContainer(value)) return plainSum(value)
    let sum = this.#sums.get(value)
    if (sum !== undefined) return sum
    const list = isArray(value)
    const known = isContainer(before) && isArray(before) === list ? this.#sums.get(before) : undefined
    sum = known ?? (list ? LIST : OBJECT)
    if (known === undefined) before = list ? [] : {}
    sum = list ? this.#items(value, before, sum) : this.#fields(value, before, sum)
    this.#sums.set(value, sum)
    return sum
  }

  #fields(value, before, sum) {
    let kept = 0
    const names = keys(value)
    for (let i = 0; i < names.length; i++) {
      const name = names[i]
      const is = value[name]
      let was = before[name]
      if (is !== was) {
        // What every object inherits is no field.
        if (!owns.call(before, name)) was = undefined
        sum = this.#swap(sum, name, is, was)
      }
      if (was !== undefined) kept++
    }
    const old = keys(before)
    if (old.length > kept) for (let i = 0; i < old.length; i++) if (!owns.call(value, old[i])) sum = this.#swap(sum, old[i], undefined, before[old[i]])
    return sum
  }

  #items(value, before, sum) {
    for (let i = 0; i < value.length || i < before.length; i++) {
      const is = i < value.length ? (value[i] ?? null) : undefined
      const was = i < before.length ? (before[i] ?? null) : undefined
      if (is !== was) sum = this.#swap(sum, i, is, was)
    }
    return sum
  }

  #swap(sum, key, is, was) {
    if (was !== undefined) {
      sum -= partOf(key, this.#sum(was))
      if (sum < 0) sum += MODULUS
    }
    if (is !== undefined) {
      sum += partOf(key, this.#sum(is, was))
      if (sum >= MODULUS) sum -= MODULUS
    }
    return sum
  }
}

const isContainer = value => typeof value === 'object' && value !== null

function plainSum(value) {
  switch (typeof value) {
    case 'string':
      begin(TEXT)
      addText(value)
      return end()
    case 'number':
      if ((value | 0) === value) {
        begin(WHOLE)
        add(value | 0)
        return end()
      }
      view.setFloat64(0, value)
      begin(NUMBER)
      add(view.getInt32(0))
      add(view.getInt32(4))
      return end()
    default:
      begin(value === true ? TRUE : value === false ? FALSE : NULL)
      return end()
  }
}

/** What a field, or an item of a list, adds to the sum of its container. */
function partOf(key, sum) {
  if (typeof key === 'string') {
    begin(FIELD)
    addText(key)
  } else {
    begin(ITEM)
    add(key)
  }
  add(sum | 0)
  add((sum / WORD) | 0)
  return end()
}

/** Two words into which others are mixed. */
let a = 0, b = 0

function begin(kind) {
  a = kind
  b = ~kind
}

function add(word) {
  a = imul(a ^ word, 0x2c1b3c6d)
  a ^= a >>> 15
  b = imul(b ^ word, 0x297a2d39)
  b ^= b >>> 13
}

function addText(text) {
  add(text.length)
  for (let i = 0; i < text.length; i++) add(text.charCodeAt(i))
}

/** The two as one number below the modulus: each bit of it depends on all of both. */
function end() {
  for (let i = 0; i < 2; i++) {
    a = imul(a ^ (b >>> 16) ^ (b << 11), 0x2c1b3c6d)
    b = imul(b ^ (a >>> 14) ^ (a << 9), 0x297a2d39)
  }
  b ^= b >>> 15
  return (b & 0xfffff) * WORD + (a >>> 0)
}
