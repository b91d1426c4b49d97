/** What can be drafted, and how: the same answers as immer's. */

/** Any object; what is in it is the reducer's business. */
export type Node = any

export type Kind = 0 | 1 | 2 | 3 | 4
export const LEAF = 0
export const PLAIN = 1
export const LIST = 2
/** An instance of a class that is marked with `[immerable]`. */
export const INSTANCE = 3
export const COLLECTION = 4

/** The key that a class, or an object, is marked with to be drafted. */
export const immerable: unique symbol = Symbol.for('immer-draftable') as never

const { getPrototypeOf, prototype: plain } = Object
export const { isArray } = Array
export const hasOwn = plain.hasOwnProperty

export function kindOf(value: Node): Kind {
  const prototype = getPrototypeOf(value)
  if (prototype === plain) return PLAIN
  if (isArray(value)) return LIST
  return prototype === null ? PLAIN : rarelyKindOf(value, prototype)
}

function rarelyKindOf(value: Node, prototype: Node): Kind {
  if (value instanceof Map || value instanceof Set) return COLLECTION
  if (value[immerable] || value.constructor?.[immerable]) return INSTANCE
  return isForeignPlain(prototype) ? PLAIN : LEAF
}

const OBJECT = Function.prototype.toString.call(Object)

/** An object of another realm, such as a frame's. */
function isForeignPlain(prototype: Node): boolean {
  const maker = hasOwn.call(prototype, 'constructor') && prototype.constructor
  return typeof maker === 'function' && Function.prototype.toString.call(maker) === OBJECT
}

export const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

export const isDraftable = (value: unknown): boolean => isObject(value) && kindOf(value) !== LEAF

export function shallowCopy(base: Node): Node {
  if (isArray(base)) return Array.prototype.slice.call(base)
  const prototype = getPrototypeOf(base)
  return prototype === plain ? { ...base } : Object.assign(Object.create(prototype), base)
}
