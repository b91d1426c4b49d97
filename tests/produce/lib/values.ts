/** Random values, the same for the same seed: two calls give two equal graphs, shared places, frozen parts and all. */
import { immerable } from 'immer'

export type Dice = (sides: number) => number

/** mulberry32. */
export function diceOf(seed: number): Dice {
  return (sides) => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % sides
  }
}

export const KEYS = ['a', 'b', 'c', 'd', 'e', '7']
export const SYMBOL = Symbol('key')
const PRIMITIVES = [0, 1, 2, -0, NaN, 'x', 'y', '', true, false, null, undefined]

export class Money {
  static [immerable] = true
  constructor(public amount: number, public parts: unknown[]) {}
  get doubled() { return this.amount * 2 }
  set doubled(value: number) { this.amount = value / 2 }
  take(part: unknown) { this.parts.push(part) }
}

/** No draft is made of one of these. */
export class Opaque { inner = { n: 1 } }

export interface Kinds { instances: boolean; symbols: boolean }

/** A graph with up to so many levels. `shared` collects objects, which may be put in twice. */
export function randomValue(dice: Dice, depth: number, kinds: Kinds, shared: object[] = []): any {
  if (shared.length > 0 && dice(14) === 0) return shared[dice(shared.length)]
  const kind = dice(depth <= 0 ? 5 : 16)
  if (kind < 5) return PRIMITIVES[dice(PRIMITIVES.length)]
  const value = kind < 10 ? randomObject(dice, depth, kinds, shared) : kind < 15 ? randomList(dice, depth, kinds, shared) : randomOther(dice, depth, kinds, shared)
  shared.push(value)
  return value
}

function randomObject(dice: Dice, depth: number, kinds: Kinds, shared: object[]) {
  const object: any = dice(12) === 0 ? Object.create(null) : {}
  for (let i = dice(5); i > 0; i--) object[KEYS[dice(KEYS.length)]!] = randomValue(dice, depth - 1, kinds, shared)
  if (kinds.symbols && dice(10) === 0) object[SYMBOL] = randomValue(dice, depth - 1, kinds, shared)
  return object
}

function randomList(dice: Dice, depth: number, kinds: Kinds, shared: object[]) {
  // Longer than what produce drafts at once, now and then.
  const length = dice(25) === 0 ? 99 + dice(5) : dice(6)
  return Array.from({ length }, (_, i) => (i > 8 ? { i } : randomValue(dice, depth - 1, kinds, shared)))
}

function randomOther(dice: Dice, depth: number, kinds: Kinds, shared: object[]) {
  if (!kinds.instances) return {}
  switch (dice(4)) {
    case 0: return new Date(dice(1000))
    case 1: return new Opaque()
    case 2: return new Money(dice(100), [randomValue(dice, depth - 1, kinds, shared)])
    default: return new Map([['k', { inside: dice(3) }]])
  }
}

export const isObject = (value: unknown): value is any => typeof value === 'object' && value !== null

export function deepFreeze<T>(value: T): T {
  if (!isObject(value) || Object.isFrozen(value) || value instanceof Map) return value
  Object.freeze(value)
  for (const key of Reflect.ownKeys(value)) deepFreeze(value[key])
  return value
}
