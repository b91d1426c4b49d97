/** From drafts to what a recipe gives: every draft is replaced by its copy, or its base where nothing changed. */
import { baseOf, type Draft, DRAFT } from './draft.js'
import { COLLECTION, isArray, kindOf, LEAF, type Node } from './kinds.js'
import type { Scope } from './scope.js'

/** Twinstore's server wants to know what became of which object: then it need not look for what changed. */
const made: Map<object, { base: object; keys: string[] }> | undefined = (globalThis as Node)[Symbol.for('twinstore.made')]

export function settle(draft: Draft): Node {
  if (!draft.modified) return baseOf(draft)
  const { now: copy, scope } = draft
  if (draft.settled) return copy
  draft.settled = true
  if (draft.elements === null) settlePlaces(draft)
  else settleElements(draft)
  if (scope.freezes) Object.freeze(copy)
  else (scope.seen ??= new Set()).add(copy)
  return copy
}

function settlePlaces({ was: base, now: copy, scope, places }: Draft): void {
  const keys: string[] = []
  for (let i = 0; i < places!.length; i += 3) {
    const key = places![i] as PropertyKey
    const draft = places![i + 2] as Draft | null
    if (draft !== null && copy[key] === places![i + 1]) copy[key] = settle(draft)
    else settleMember(copy, key, scope)
    if (typeof key === 'string') keys.push(key)
  }
  // Only of what cannot change any more.
  if (made !== undefined && scope.freezes) made.set(copy, { base, keys })
}

function settleElements({ now: copy, scope, elements }: Draft): void {
  const { drafts, proxies } = elements!
  let moved = 0 // how far the elements lie from where they were: one was put in or taken out before them
  for (let i = 0; i < copy.length; i++) {
    const value = copy[i]
    if (typeof value !== 'object' || value === null) continue
    if (value !== proxies[i + moved]) {
      if (value === proxies[i + moved + 1]) moved++
      else if (value === proxies[i + moved - 1]) moved--
    }
    const draft = value === proxies[i + moved] ? drafts[i + moved] : undefined
    if (draft === undefined) settleMember(copy, i, scope)
    else copy[i] = draft.was === null ? draft.now : settle(draft)
  }
}

/** Drafts that lie in what a recipe returns, or puts into a draft, are looked for through all that is not frozen. */
export function settleValue(value: Node, scope: Scope): Node {
  const draft = value[DRAFT]
  if (draft !== undefined) return draft.scope === scope ? settle(draft) : value
  if (!Object.isFrozen(value)) walk(value, scope)
  return value
}

function settleMember(holder: Node, key: PropertyKey, scope: Scope): void {
  const value = holder[key]
  if (typeof value !== 'object' || value === null) return
  const settled = settleValue(value, scope)
  if (settled !== value) holder[key] = settled
}

function walk(value: Node, scope: Scope): void {
  const kind = kindOf(value)
  if (kind === LEAF || kind === COLLECTION) return
  const seen = (scope.seen ??= new Set())
  if (seen.has(value)) return
  seen.add(value)
  if (isArray(value)) for (let i = 0; i < value.length; i++) settleMember(value, i, scope)
  else for (const key of Reflect.ownKeys(value)) settleMember(value, key, scope)
  if (scope.freezes) Object.freeze(value)
}
