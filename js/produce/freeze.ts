/** Freezing, as deep and as far as immer does: not into what is frozen already. */
import { isDraft } from './draft.js'
import { fail } from './errors.js'
import { COLLECTION, isArray, isObject, kindOf, LEAF, type Node } from './kinds.js'

const { isFrozen } = Object

export function freeze<T>(value: T, deep = false): T {
  if (!isObject(value) || isFrozen(value) || isDraft(value)) return value
  const kind = kindOf(value)
  if (kind === LEAF) return value
  if (kind === COLLECTION) Object.defineProperties(value, NO_WRITES)
  Object.freeze(value)
  if (deep) each(value, kind === COLLECTION)
  return value
}

function each(value: Node, collection: boolean): void {
  const freezeMember = (member: unknown) => void freeze(member, true)
  if (collection || isArray(value)) value.forEach(freezeMember)
  else for (const key of Object.keys(value)) freeze(value[key], true)
}

const refuse = { value: () => fail('frozen') }
const NO_WRITES = { set: refuse, add: refuse, clear: refuse, delete: refuse }
