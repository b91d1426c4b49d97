/**
 * A draft: what is known of one drafted object. The proxies that stand for it are made in `object.ts` and `list.ts`.
 *
 * Fields that most drafts never write are read from the prototype: in QuickJS the fields of a new object are what it costs.
 */
import { isArray, isObject, type Node, shallowCopy } from './kinds.js'
import type { Scope } from './scope.js'

export interface Draft {
  /** The call it belongs to. */
  readonly scope: Scope
  readonly parent: Draft | null
  /** The object as it stands; null once the call is over, which lets every trap throw a TypeError, as a revoked proxy does. */
  now: Node
  /** What it was, where `now` is a copy of it. */
  was: Node
  modified: boolean
  settled: boolean
  /** Places that may hold a draft, or something new: key, and the proxy that was put there with its draft, or two nulls. */
  places: unknown[] | null
  /** Of a short list, instead: its elements. */
  elements: Elements | null
}

export interface Elements {
  /** The drafts and their proxies, by their first index. */
  readonly drafts: (Draft | undefined)[]
  readonly proxies: Node[]
  /** Whether all that can be drafted is. */
  whole: boolean
}

export const AT_FIRST = { was: null, modified: false, settled: false, places: null, elements: null }

/** The key under which a proxy gives its draft. */
export const DRAFT = Symbol('draft')

export const draftOf = (value: Node): Draft | undefined => (isObject(value) ? (value as Node)[DRAFT] : undefined)
export const isDraft = (value: unknown): boolean => draftOf(value) !== undefined
export const isModified = (value: unknown): boolean => draftOf(value)?.modified === true

export const baseOf = (draft: Draft): Node => (draft.was === null ? draft.now : draft.was)

/** The draft and its parents change; each has a copy to be written to from now on. */
export function change(draft: Draft): void {
  for (let d: Draft | null = draft; d !== null && !d.modified; d = d.parent) {
    d.modified = true
    d.scope.changed.push(d)
    if (d.was === null) copyBase(d)
  }
}

/** From here on the drafts of members lie in the copy; before, in `places` only. */
export function copyBase(draft: Draft): void {
  draft.was = draft.now
  const copy = (draft.now = shallowCopy(draft.was))
  const { places } = draft
  if (places === null) draft.places = []
  else for (let i = 0; i < places.length; i += 3) copy[places[i] as PropertyKey] = places[i + 1]
}

/** The proxy of a member, while there is no copy. */
export function proxyAt({ places }: Draft, key: PropertyKey): Node {
  if (places !== null) for (let i = 0; i < places.length; i += 3) if (places[i] === key) return places[i + 1]
  return undefined
}

/** Whether a write to an unchanged draft leaves it unchanged. A member's base takes back the place of the member's draft. */
export function staysSame(draft: Draft, key: PropertyKey, value: Node): boolean {
  const is = peek(draft, key)
  if (isObject(is)) {
    const child = draftOf(is)
    if (child !== undefined && child.parent === draft && baseOf(child) === value) return putBack(draft, key, value)
  }
  return Object.is(value, is) && (value !== undefined || Object.hasOwn(draft.now, key))
}

function putBack({ now, was, places }: Draft, key: PropertyKey, value: Node): true {
  if (was !== null) now[key] = value
  else for (let i = places!.length - 3; i >= 0; i -= 3) if (places![i] === key) places!.splice(i, 3)
  return true
}

/** A member as it lies there, undrafted. A base is itself a draft where produce is called on one. */
function peek(draft: Draft, key: PropertyKey): Node {
  if (draft.was !== null) return draft.now[key]
  const proxy = proxyAt(draft, key)
  if (proxy !== undefined) return proxy
  const outer = draft.scope.nested ? draftOf(draft.now) : undefined
  return outer === undefined ? draft.now[key] : peek(outer, key)
}

export function describe(draft: Draft, key: PropertyKey): PropertyDescriptor | undefined {
  const own = Reflect.getOwnPropertyDescriptor(draft.now, key)
  if (own === undefined) return undefined
  return {
    writable: true,
    configurable: key !== 'length' || !isArray(draft.now),
    enumerable: own.enumerable!,
    value: peek(draft, key),
  }
}
