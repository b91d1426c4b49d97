/**
 * Drafts of objects.
 *
 * An object is copied when something changes, or when many of its members were looked at. Immer copies at the first look,
 * which costs most where it is least needed: an object of 10,000 entities.
 */
import { AT_FIRST, baseOf, change, copyBase, describe, type Draft, DRAFT, proxyAt, staysSame } from './draft.js'
import { fail } from './errors.js'
import { hasOwn, INSTANCE, type Kind, kindOf, LEAF, LIST, type Node, PLAIN } from './kinds.js'
import { listTraps } from './list.js'
import type { Scope } from './scope.js'

/** So many members are found by going through them. */
const FEW_PLACES = 3 * 12

export function makeDraft(scope: Scope, parent: Draft | null, base: Node): Draft {
  const draft = { __proto__: AT_FIRST, scope, parent, now: base } as unknown as Draft
  scope.drafts.push(draft)
  return draft
}

export function makeProxy(draft: Draft, kind: Kind): Node {
  if (kind === PLAIN) return new Proxy(draft, plainTraps)
  // Array.isArray looks at a proxy's target.
  if (kind === LIST) return new Proxy([draft], listTraps)
  if (kind === INSTANCE) return new Proxy(draft, instanceTraps)
  return fail('unsupported', 'Map and Set')
}

function get(draft: Draft, key: PropertyKey): unknown {
  const value = draft.now[key]
  if (typeof value !== 'object') return value === undefined && key === DRAFT ? draft : value
  if (value === null) return null
  // A base that is itself a draft has a draft under that key, too.
  return key === DRAFT ? draft : member(draft, key, value)
}

/** What the reducer gets for an object: its draft, where it is the base's own; else, as it was put there, the thing itself. */
export function member(draft: Draft, key: PropertyKey, value: Node): Node {
  const { now, was } = draft
  if (was !== null) {
    if (value !== was[key]) return value
  } else {
    const proxy = proxyAt(draft, key)
    if (proxy !== undefined) return proxy
  }
  if (!hasOwn.call(now, key)) return value
  const kind = kindOf(value)
  if (kind === LEAF) return value
  const child = makeDraft(draft.scope, draft, value)
  const proxy = makeProxy(child, kind)
  if (draft.places === null) draft.places = [key, proxy, child]
  else draft.places.push(key, proxy, child)
  if (was !== null) now[key] = proxy
  else if (draft.places.length > FEW_PLACES) copyBase(draft)
  return proxy
}

export function set(draft: Draft, key: PropertyKey, value: Node): true {
  if (key === '__proto__' && key in draft.now) return setPrototype(value)
  if (put(draft, key, value)) draft.places!.push(key, null, null)
  return true
}

/** Writes a member. Whether something new lies there now. */
export function put(draft: Draft, key: PropertyKey, value: Node): boolean {
  if (!draft.modified) {
    if (staysSame(draft, key, value)) return false
    change(draft)
  }
  const copy = draft.now
  const old = copy[key]
  if (old === value ? value !== undefined || hasOwn.call(copy, key) : old !== old && value !== value) return false
  copy[key] = value
  return true
}

/** What the setter of `__proto__` does: nothing for a value that is no object. */
function setPrototype(value: unknown): true {
  if (typeof value === 'object' || typeof value === 'function') fail('setPrototypeOf')
  return true
}

function deleteProperty(draft: Draft, key: PropertyKey): true {
  if (key in baseOf(draft)) change(draft)
  if (!draft.modified) return true
  delete draft.now[key]
  draft.places!.push(key, null, null)
  return true
}

export function whileOpen(draft: Draft, reason: 'defineProperty' | 'setPrototypeOf'): never {
  if (draft.now === null) throw new TypeError('the draft is used after its call')
  return fail(reason)
}

export const plainTraps: ProxyHandler<Draft> = {
  get,
  set,
  deleteProperty,
  has: (draft, key) => key in draft.now,
  ownKeys: (draft) => Reflect.ownKeys(draft.now),
  getOwnPropertyDescriptor: describe,
  getPrototypeOf: (draft) => Object.getPrototypeOf(draft.now),
  defineProperty: (draft) => whileOpen(draft, 'defineProperty'),
  setPrototypeOf: (draft) => whileOpen(draft, 'setPrototypeOf'),
}

/** Getters and setters of a class see the draft. */
const instanceTraps: ProxyHandler<Draft> = {
  ...plainTraps,
  get: (draft, key, receiver) => (key === DRAFT || hasOwn.call(draft.now, key) ? get(draft, key) : Reflect.get(draft.now, key, receiver)),
  set(draft, key, value, receiver) {
    const setter = setterOf(Object.getPrototypeOf(draft.now), key)
    if (setter === undefined) return set(draft, key, value)
    setter.call(receiver, value)
    return true
  },
}

function setterOf(prototype: Node, key: PropertyKey): ((value: unknown) => void) | undefined {
  for (let at = prototype; at !== null; at = Object.getPrototypeOf(at)) {
    const found = Reflect.getOwnPropertyDescriptor(at, key)
    if (found) return found.set
  }
  return undefined
}
