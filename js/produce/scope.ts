/** One call of produce, from its first draft to the last. */
import type { Draft } from './draft.js'

export interface Scope {
  /** The call within whose recipe this one was made. What it gives is part of that one's, and not frozen yet. */
  readonly outer: Scope | null
  /** All drafts but those of short lists' elements. */
  readonly drafts: Draft[]
  readonly changed: Draft[]
  /** Whether the base is known to be frozen to its leaves. */
  readonly frozen: boolean
  /** Whether the base is itself a draft, of a call further out. */
  readonly nested: boolean
  /** Whether `settle` freezes what it settles. */
  freezes: boolean
  /** New values that were walked already: they may be in a circle, or in two places. */
  seen: Set<object> | null
}

let current: Scope | null = null

export function enter(frozen: boolean, nested: boolean): Scope {
  return (current = { outer: current, drafts: [], changed: [], frozen, nested, freezes: false, seen: null })
}

export function leave(scope: Scope): void {
  if (current === scope) current = scope.outer
}

/** Ends all drafts: what is left of them throws. Nothing refers to what the recipe gave, and no circle is left to be collected. */
export function revoke({ drafts, changed }: Scope): void {
  for (let i = 0; i < drafts.length; i++) {
    const draft = drafts[i]!
    draft.now = null
    if (draft.was !== null) draft.was = null
    // An element of a short list is not among the drafts, but its members are.
    if (draft.parent !== null && draft.parent.places !== null) draft.parent.places = null
    if (draft.elements === null) continue
    endElements(draft.elements.drafts)
    draft.elements = null
  }
  drafts.length = 0
  changed.length = 0
}

function endElements(drafts: (Draft | undefined)[]): void {
  for (let i = 0; i < drafts.length; i++) {
    const element = drafts[i]
    if (element === undefined) continue
    element.now = null
    if (element.was !== null) element.was = element.places = null
  }
}
