/**
 * What a short list's draft gives for an array's own methods: functions that do the same on its copy, where all elements
 * are drafted already. The traps that they save are most of what a reducer over a list costs.
 */
import { change, type Draft, draftOf } from './draft.js'
import { isArray, type Node } from './kinds.js'
import { draftElements, notePutBack } from './list.js'

type Method = (...args: unknown[]) => unknown

const MOVE = ['push', 'pop', 'shift', 'unshift', 'splice', 'reverse', 'sort'] as const
const READ = ['indexOf', 'lastIndexOf', 'includes', 'slice', 'at', 'join'] as const
const ASK_EACH = ['forEach', 'map', 'filter', 'find', 'findIndex', 'findLast', 'findLastIndex', 'some', 'every', 'flatMap'] as const
const REDUCE = ['reduce', 'reduceRight'] as const

/** By the array's own method. */
export const atOnce = new Map<unknown, Method>()

for (const name of MOVE) provide(name, move)
for (const name of READ) provide(name, (method, draft, _, args) => method.apply(draft.now, args))
for (const name of ASK_EACH) provide(name, askEach)
for (const name of REDUCE) provide(name, reduce)

function provide(name: string, work: (method: Method, draft: Draft, list: Node, args: unknown[]) => unknown): void {
  const method = (Array.prototype as Node)[name] as Method | undefined
  // An engine may not have the newest of them.
  if (method === undefined) return
  atOnce.set(method, function (this: Node, ...args) {
    const draft = draftOf(this)
    const short = draft !== undefined && isArray(draft.now) && draftElements(draft) && draft.elements!.whole
    return short ? work(method, draft, this, args) : method.apply(this, args)
  })
}

function move(method: Method, draft: Draft, list: Node, args: unknown[]): unknown {
  const { now: copy, modified } = draft
  if (copy.includes(undefined) && hasHoles(copy)) return method.apply(list, args)
  if (hasMinusZero(copy) || hasMinusZero(args)) return method.apply(list, args)
  for (const arg of args) notePutBack(draft, arg)
  const before = modified ? copy : copy.slice()
  try {
    const result = method.apply(copy, args)
    return result === copy ? list : result
  } finally {
    if (!modified && !sameElements(before, copy)) change(draft)
  }
}

/** The traps make `undefined` of a hole that moves. */
function hasHoles(list: unknown[]): boolean {
  return Object.keys(list).length < list.length
}

/** The traps do not write it over 0, as immer does not. */
function hasMinusZero(list: unknown[]): boolean {
  return list.includes(0) && list.some((element) => Object.is(element, -0))
}

function sameElements(before: unknown[], after: unknown[]): boolean {
  return before.length === after.length && before.every((element, i) => Object.is(element, after[i]))
}

/** The callback is given the draft, never the copy. */
function askEach(method: Method, { now: copy }: Draft, list: Node, args: unknown[]): unknown {
  const [ask, self] = args
  if (typeof ask !== 'function') return method.apply(list, args)
  return method.call(copy, (element: unknown, i: number) => ask.call(self, element, i, list))
}

function reduce(method: Method, { now: copy }: Draft, list: Node, args: unknown[]): unknown {
  const [step] = args
  if (typeof step !== 'function') return method.apply(list, args)
  const onDraft = (sum: unknown, element: unknown, i: number) => step(sum, element, i, list)
  return args.length > 1 ? method.call(copy, onDraft, args[1]) : method.call(copy, onDraft)
}
