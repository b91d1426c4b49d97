/** A draft as it stands, as plain values; and as it was. */
import { baseOf, draftOf } from './draft.js'
import { fail } from './errors.js'
import { COLLECTION, isArray, isObject, kindOf, LEAF, type Node, shallowCopy } from './kinds.js'

export function original<T>(value: T): T {
  const draft = draftOf(value)
  return draft === undefined ? fail('originalOfNoDraft', value) : baseOf(draft)
}

export function current<T>(value: T): T {
  return draftOf(value) === undefined ? fail('currentOfNoDraft', value) : plainOf(value)
}

function plainOf(value: Node): Node {
  if (!isObject(value) || Object.isFrozen(value)) return value
  const draft = draftOf(value)
  if (draft === undefined) return plainOfNew(value)
  return draft.modified ? copied(draft.now, Object.keys(draft.now)) : baseOf(draft)
}

/** Something that the reducer made, which may hold drafts. */
function plainOfNew(value: Node): Node {
  const kind = kindOf(value)
  if (kind === LEAF) return value
  if (kind !== COLLECTION) return copied(value, Reflect.ownKeys(value))
  return value instanceof Map ? new Map([...value].map(([key, member]) => [key, plainOf(member)])) : new Set([...value].map(plainOf))
}

function copied(source: Node, keys: PropertyKey[]): Node {
  const copy = shallowCopy(source)
  // Elements by forEach: it leaves holes alone.
  if (isArray(copy)) copy.forEach((element, i) => (copy[i] = plainOf(element)))
  else for (const key of keys) copy[key] = plainOf(copy[key])
  return copy
}
