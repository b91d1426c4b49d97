/**
 * Drafts of arrays.
 *
 * Where one element of a short list is looked at, most are. So they are drafted all at once, in a loop that shares what it
 * can, and put in their places at the end in another: that is where a reducer's time goes. Then an array's own methods can
 * work on all of them without a trap for each (`list-methods.ts`). A long list is treated as an object is.
 */
import { AT_FIRST, copyBase, describe, type Draft, DRAFT } from './draft.js'
import { atOnce } from './list-methods.js'
import { COLLECTION, hasOwn, isObject, kindOf, LEAF, type Node, PLAIN } from './kinds.js'
import { makeDraft, makeProxy, member, plainTraps, put, set, whileOpen } from './object.js'

const { getPrototypeOf, prototype: plain } = Object

/** The longest list that counts as short. */
const SHORT = 100

type Target = [Draft]

function get(target: Target, key: PropertyKey): unknown {
  const draft = target[0]
  const value = draft.now[key]
  if (typeof value !== 'object') {
    if (typeof value === 'function') return atOnce.get(value) ?? value
    return value === undefined && key === DRAFT ? draft : value
  }
  if (key === DRAFT) return draft
  if (value === null || (draft.was !== null && value !== draft.was[key])) return value
  if (!draftElements(draft) || !hasOwn.call(draft.was, key)) return member(draft, key, value)
  const element = draft.now[key]
  return element === value ? member(draft, key, value) : element
}

/**
 * Drafts every element that is the base's own. Not, and false, where the list is too long for it; nor where it may not be
 * frozen: `current` gives copies of what was never looked at, but frozen things as they are.
 */
export function draftElements(draft: Draft): boolean {
  if (draft.elements !== null) return true
  const { now, scope, was } = draft
  if (now.length > SHORT || !scope.frozen) return false
  if (was === null) copyBase(draft)
  const base = draft.was
  const copy = draft.now
  const drafts = copy.slice()
  const kin = { __proto__: AT_FIRST, scope, parent: draft }
  let whole = true
  for (let i = 0; i < copy.length; i++) {
    const value = copy[i]
    // The base's own is read only where it may differ: a frozen list is slow to read.
    if (typeof value !== 'object' || value === null || (was !== null && value !== base[i])) drafts[i] = undefined
    else if (getPrototypeOf(value) === plain) {
      const element = { __proto__: kin, now: value } as unknown as Draft
      drafts[i] = element
      copy[i] = new Proxy(element, plainTraps)
    } else {
      const kind = kindOf(value)
      drafts[i] = undefined
      if (kind === COLLECTION) whole = false
      else if (kind !== LEAF) copy[i] = makeProxy((drafts[i] = makeDraft(scope, draft, value)), kind)
    }
  }
  draft.elements = { drafts, proxies: copy.slice(), whole }
  return true
}

function setElement(target: Target, key: PropertyKey, value: Node): true {
  const draft = target[0]
  const { elements } = draft
  if (elements === null || key === '__proto__') return set(draft, key, value)
  notePutBack(draft, value)
  // In the end all elements are looked at, so that no place need be noted.
  put(draft, key, value)
  return true
}

/** An element of the base itself, put back by way of `original`, is not drafted while it is not in its own place. */
export function notePutBack({ elements, was }: Draft, value: unknown): void {
  if (isObject(value) && was.includes(value)) elements!.whole = false
}

export const listTraps: ProxyHandler<Target> = {
  get,
  set: setElement,
  // As immer: no hole is left behind.
  deleteProperty: (target, key) => setElement(target, key, undefined),
  has: (target, key) => key in target[0].now,
  ownKeys: (target) => Reflect.ownKeys(target[0].now),
  getOwnPropertyDescriptor: (target, key) => describe(target[0], key),
  getPrototypeOf: (target) => Object.getPrototypeOf(target[0].now),
  defineProperty: (target) => whileOpen(target[0], 'defineProperty'),
  setPrototypeOf: (target) => whileOpen(target[0], 'setPrototypeOf'),
}
