/** Graphs as text: values, the order of keys, which places share an object, what is frozen, and what was there before. */
import { isObject } from './values'

/** The same object has the same number in all graphs. */
export class Numbers {
  private readonly numbers = new Map<object, number>()
  of(object: object): number | undefined { return this.numbers.get(object) }
  add(object: object): number {
    this.numbers.set(object, this.numbers.size)
    return this.numbers.size - 1
  }
}

/** Objects seen by an earlier call with the same numbers show as those: what a step shares with the state before it. */
export function fingerprint(value: unknown, numbers: Numbers, walked = new Set<object>()): string {
  if (Object.is(value, -0)) return 'number:-0'
  if (!isObject(value)) return typeof value === 'symbol' || typeof value === 'function' ? typeof value : `${typeof value}:${String(value)}`
  if (isRevoked(value)) return REVOKED
  const number = numbers.of(value)
  if (number !== undefined && walked.has(value)) return `#${number}`
  walked.add(value)
  const name = number === undefined ? `new${numbers.add(value)}` : `#${number}`
  const prototype = Object.getPrototypeOf(value)
  const kind = Array.isArray(value) ? 'list' : prototype === null ? 'null' : prototype.constructor.name
  const frozen = !Object.isFrozen(value) ? '' : isOpaque(value) ? '' : '!'
  const members = Reflect.ownKeys(value).map((key) => `${String(key)}=${member(value, key, numbers, walked)}`)
  if (value instanceof Date) members.push(String(value.getTime()))
  return `${name}${frozen}${kind}{${members.join(',')}}`
}

/** A draft that outlived its recipe, in an object that was frozen and hence not looked into. */
export const REVOKED = 'revoked'

function isRevoked(value: object): boolean {
  try {
    Object.getPrototypeOf(value)
    return false
  } catch {
    return true
  }
}

const isOpaque = (value: object) => value instanceof Date || value instanceof Map

/** Below a symbol freezing is not compared: a state has none. */
function member(holder: any, key: PropertyKey, numbers: Numbers, walked: Set<object>): string {
  const text = fingerprint(holder[key], numbers, walked)
  return typeof key === 'symbol' ? text.replaceAll('!', '') : text
}
