/** produce, createDraft and finishDraft: a recipe works on drafts, and gives the next state. */
import { current } from './current.js'
import { baseOf, type Draft, DRAFT, draftOf } from './draft.js'
import { fail } from './errors.js'
import { freeze } from './freeze.js'
import { isObject, type Kind, kindOf, LEAF, type Node } from './kinds.js'
import { makeDraft, makeProxy } from './object.js'
import { enter, leave, revoke, type Scope } from './scope.js'
import { settle, settleValue } from './settle.js'

/** What a recipe returns to make the state `undefined`. */
export const nothing: unique symbol = Symbol.for('immer-nothing') as never

/** What an earlier call gave, frozen to its leaves: a later call need not look at what it did not touch. */
const frozen = new WeakSet<object>()

/** What createDraft gave, until finishDraft. */
const created = new WeakSet<Draft>()

let autoFreeze = true
export function setAutoFreeze(on: boolean): void {
  autoFreeze = on
}

type Recipe = (this: unknown, draft: Node, ...args: unknown[]) => unknown

/** Loosely typed: an app compiles against immer, and is bundled with this. */
export function produce<Base>(base: Base, recipe: (draft: Node) => unknown): Base
export function produce(recipe: Recipe, initial?: unknown): (base?: Node, ...args: unknown[]) => Node
export function produce(base: Node, recipe?: Node, listener?: Node): Node {
  if (typeof base === 'function' && typeof recipe !== 'function') return curried(base, recipe)
  if (typeof recipe !== 'function') fail('noRecipe')
  if (listener !== undefined) fail(typeof listener === 'function' ? 'unsupported' : 'noListener', 'Patches')
  if (!isObject(base)) return replaced(base, recipe(base))
  const kind = kindOf(base)
  if (kind === LEAF) fail('notDraftable', base)

  const scope = enter(frozen.has(base), draftOf(base) !== undefined)
  let result: Node
  let done = false
  const root = makeRoot(scope, base, kind)
  try {
    result = recipe(root)
    done = true
  } finally {
    leave(scope)
    if (!done) revoke(scope)
  }
  return finish(scope, root[DRAFT], result === root ? undefined : result)
}

function makeRoot(scope: Scope, base: Node, kind: Kind): Node {
  try {
    return makeProxy(makeDraft(scope, null, base), kind)
  } catch (error) {
    leave(scope)
    throw error
  }
}

function curried(recipe: Recipe, initial: Node) {
  return function (this: unknown, base: Node = initial, ...args: unknown[]): Node {
    return produce(base, (draft: Node) => recipe.call(this, draft, ...args))
  }
}

/** What cannot be drafted is given to the recipe as it is. */
function replaced(base: Node, result: Node): Node {
  if (result === undefined) return base
  if (result === nothing) return undefined
  return autoFreeze ? freeze(result, true) : result
}

export function createDraft<T>(base: T): T {
  const kind = isObject(base) ? kindOf(base) : LEAF
  if (kind === LEAF) fail('notCreatable')
  // It throws where drafts lie in a circle.
  const plain = draftOf(base) === undefined ? base : current(base)
  const scope = enter(frozen.has(plain as object), false)
  const root = makeRoot(scope, plain, kind)
  leave(scope)
  created.add(root[DRAFT])
  return root
}

export function finishDraft<T>(draft: T, listener?: Node): T {
  const root = draftOf(draft)
  if (root === undefined || !created.delete(root)) fail('notCreated')
  if (listener !== undefined) fail('unsupported', 'Patches')
  return finish(root.scope, root, undefined)
}

/** The next state: what the recipe returned, else what became of the root's draft. */
function finish(scope: Scope, root: Draft, returned: Node): Node {
  // Within another call's recipe nothing is frozen: there it may be changed yet.
  const freezes = autoFreeze && scope.outer === null
  try {
    if (returned === undefined) return settleRoot(scope, root, freezes)
    if (root.modified) fail('returnedAndModified')
    if (returned === nothing) return undefined
    const result = isObject(returned) ? settleValue(returned, scope) : returned
    return freezes ? deeplyFrozen(result) : result
  } finally {
    revoke(scope)
  }
}

function settleRoot(scope: Scope, root: Draft, freezes: boolean): Node {
  if (!root.modified) return freezes && !scope.frozen ? deeplyFrozen(baseOf(root)) : baseOf(root)
  // Where the base is frozen, only what is new is left to freeze, and that is walked anyway.
  scope.freezes = freezes && scope.frozen
  const result = settle(root)
  if (scope.freezes) frozen.add(result)
  scope.freezes = false
  settleStrays(scope)
  return freezes && !scope.frozen ? deeplyFrozen(result) : result
}

/** Drafts that are no longer part of the result may hold objects of the app's own; no draft stays behind in those. */
function settleStrays({ changed }: Scope): void {
  for (let i = 0; i < changed.length; i++) settle(changed[i]!)
}

function deeplyFrozen(result: Node): Node {
  freeze(result, true)
  if (isObject(result) && Object.isFrozen(result)) frozen.add(result)
  return result
}
