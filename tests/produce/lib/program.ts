/** A random recipe: a list of steps with all their dice thrown, which two libraries run alike. */
import { deepFreeze, type Dice, diceOf, isObject, KEYS, type Kinds, Money, randomValue, SYMBOL } from './values'

export interface Library {
  produce(base: any, recipe: (draft: any) => any): any
  createDraft(base: any): any
  finishDraft(draft: any): any
  current(value: any): any
  original(value: any): any
  isDraft(value: any): boolean
  isDraftable(value: any): boolean
  isModified(value: any): boolean
  freeze(value: any, deep?: boolean): any
  nothing: any
}

/** What a recipe did, as text; drafts that it kept. */
export interface Trace { log: string[]; leaked: any[] }

type Step = (draft: any, library: Library, trace: Trace) => void
export interface Program { steps: Step[]; names: string[]; result: (draft: any, library: Library) => any }

export function randomProgram(dice: Dice, kinds: Kinds): Program {
  const chosen = Array.from({ length: 1 + dice(7) }, () => names[dice(names.length)]!)
  const steps = chosen.map((name) => {
    // A step's own dice, thrown anew by each library in the same order.
    const seed = dice(2 ** 30)
    return (draft: any, library: Library, trace: Trace) => STEPS[name]!(pick(draft, diceOf(seed), kinds, library), trace)
  })
  return { steps, names: chosen, result: RESULTS[dice(RESULTS.length)]! }
}

interface Picked {
  /** A node somewhere in the draft, one of its keys, another node, and a new value. */
  x: any; key: any; y: any; value: any
  k: number; dice: Dice; root: any; library: Library; kinds: Kinds
}

function pick(root: any, dice: Dice, kinds: Kinds, library: Library): Picked {
  const x = walk(root, dice)
  const keys = Object.keys(x)
  const key = Array.isArray(x) ? dice(x.length + 1) : dice(3) === 0 || keys.length === 0 ? KEYS[dice(KEYS.length)] : keys[dice(keys.length)]
  return { x, key, y: walk(root, dice), value: randomValue(dice, 2, { ...kinds, instances: false }), k: dice(5), dice, root, library, kinds }
}

function walk(from: any, dice: Dice): any {
  let at = from
  for (let depth = dice(4); depth > 0; depth--) {
    const keys = Object.keys(at)
    if (keys.length === 0) break
    const next = at[keys[dice(Math.min(keys.length, 12))]!]
    if (!isObject(next) || next instanceof Date || next instanceof Map || dice(6) === 0) break
    at = next
  }
  return at
}

const show = (value: unknown): string => JSON.stringify(value, (_, v) => (v === undefined ? 'undefined' : v)) ?? typeof value

function contains(holder: any, value: any, seen = new Set()): boolean {
  if (holder === value) return true
  if (!isObject(holder) || seen.has(holder)) return false
  seen.add(holder)
  return Object.values(holder).some((member) => contains(member, value, seen))
}

/** A change to a node; lists get no named properties, which JSON does not have. */
function mark(node: any, name: string, value: unknown) {
  if (Array.isArray(node)) node.push(value)
  else node[name] = value
}

/** Whether y may be put into x without making a circle. */
const fits = ({ x, y }: Picked) => !contains(y, x)
const onList = (work: (picked: Picked, trace: Trace) => void) => (picked: Picked, trace: Trace) => {
  if (Array.isArray(picked.x)) work(picked, trace)
}

const STEPS: Record<string, (picked: Picked, trace: Trace) => void> = {
  set: ({ x, key, value }) => { x[key] = value },
  setSame: ({ x, key }) => { x[key] = x[key] },
  setObject: ({ x, key, value, k }) => { x[key] = { n: value, list: [1, { k }] } },
  setNothing: ({ x, key }) => { x[key] = undefined },
  setFrozen: ({ x, key, value }) => { x[key] = deepFreeze(value) },
  setThenChange: ({ x, key, value, k }) => { x[key] = value; if (isObject(x[key])) mark(x[key], 'added', k) },
  setAndBack: ({ x, key, k }) => { const was = x[key]; x[key] = 'other'; x[key] = was; if (k === 0) x[key] = 0 },
  delete: ({ x, key }, { log }) => { log.push(String(delete x[key])) },
  deleteAdded: ({ x, k }) => { if (!Array.isArray(x)) { x.zz = k; delete x.zz } },
  assign: ({ x, value, k }) => { if (!Array.isArray(x)) Object.assign(x, { a: k, q: value }) },
  assignDraft: ({ x, y }) => { if (!Array.isArray(x) && !Object.values(y).some((member) => contains(member, x))) Object.assign(x, y) },
  spread: (picked) => { const { x, key, y, k } = picked; if (!Object.values(y).some((member) => contains(member, x))) x[key] = Array.isArray(y) ? [...y, k] : { ...y, k } },
  symbol: ({ x, kinds, value }) => { if (kinds.symbols && !Array.isArray(x)) x[SYMBOL] = value },
  increment: ({ x, key }) => { x[key]++ },

  alias: (picked) => { const { x, key, y } = picked; if (fits(picked)) x[key] = y },
  aliasThenChange: (picked) => { const { x, key, y, k } = picked; if (fits(picked)) { x[key] = y; mark(y, 'changed', k) } },
  wrap: (picked) => { const { x, key, y, k } = picked; if (fits(picked)) x[key] = k < 2 ? { wrap: [y], again: y } : [{ y }, y] },
  wrapFrozen: (picked) => { const { x, key, y, k, library } = picked; if (k === 0 && library.isDraft(y) && fits(picked)) x[key] = Object.freeze({ wrap: y }) },
  wrapThenChange: (picked) => { const { x, key, y, k } = picked; if (fits(picked)) { const holder = { inner: { y } }; x[key] = holder; mark(y, 'changed', k) } },
  fillLater: (picked) => { const { x, key, y } = picked; if (fits(picked)) { const holder: any = {}; x[key] = holder; holder.late = y } },
  move: (picked) => { const { x, key, y, k } = picked; const v = x[key]; if (isObject(v) && !contains(v, y)) { delete x[key]; mark(y, KEYS[k]!, v) } },
  detachThenChange: ({ x, key, k }) => { const v = x[key]; if (isObject(v)) { delete x[key]; mark(v, 'changed', k) } },
  swap: ({ x, dice }) => { const keys = Object.keys(x); if (keys.length > 1) { const p = keys[dice(keys.length)]!, q = keys[dice(keys.length)]!; [x[p], x[q]] = [x[q], x[p]] } },

  push: onList(({ x, value, k }, { log }) => { log.push(String(k ? x.push(value, k) : x.push())) }),
  pop: onList(({ x }, { log }) => { log.push(show(x.pop())) }),
  shift: onList(({ x }, { log }) => { log.push(show(x.shift())) }),
  unshift: onList(({ x, value }, { log }) => { log.push(String(x.unshift(value, 1))) }),
  splice: onList(({ x, value, k, dice }, { log }) => { log.push(show(dice(2) ? x.splice(k, dice(3), value) : x.splice(k, dice(3)))) }),
  spliceSame: onList(({ x, k }) => { if (x.length > k) x.splice(k, 1, x[k]) }),
  spliceMove: onList(({ x, k, dice }) => { const [v] = x.splice(k, 1); x.splice(dice(6), 0, v) }),
  reverse: onList(({ x }, { log }) => { log.push(String(x.reverse() === x)) }),
  sort: onList(({ x }, { log }) => { log.push(String(x.sort((p: any, q: any) => (show(p) < show(q) ? -1 : 1)) === x)) }),
  sortThrows: onList(({ x }) => { x.sort(() => { throw new Error('boom') }) }),
  pushShift: onList(({ x, value }) => { x.push(value); x.shift() }),
  length: onList(({ x, k }) => { x.length = Math.min(x.length, k) }),
  lengthWrong: onList(({ x, k }) => { if (k === 0) x.length = -1 }),
  fill: onList(({ x, k }) => { x.fill(k, 1, 2) }),
  copyWithin: onList(({ x }) => { x.copyWithin(0, 1, 3) }),
  element: onList(({ x, k, value }) => { if (x.length > k) x[k] = value }),
  elementFromNext: onList(({ x, k }) => { if (x.length > 1) x[k % x.length] = x[(k + 1) % x.length] }),
  changeAll: onList(({ x, k }) => { for (const v of x) if (isObject(v)) mark(v, 'z', k) }),
  changeFound: onList(({ x, k, library }, { log }) => { const found = x.find((v: any, _: number, list: any) => { log.push(String(library.isDraft(list) === library.isDraft(x))); return isObject(v) }); if (found) mark(found, 'z', k) }),
  changeWhileMapping: onList(({ x, k }, { log }) => { log.push(show(x.map((v: any, i: number) => { if (isObject(v)) mark(v, 'm', k + i); return i }))) }),
  pushWhileReading: onList(({ x, k }) => { x.forEach((_: any, i: number) => { if (i === 0 && x.length < 200) x.push({ k }) }) }),
  replaceByFilter: (picked) => { const { x, key, k } = picked; if (Array.isArray(x[key])) x[key] = x[key].filter((_: any, i: number) => i !== k) },
  replaceByMap: ({ x, key, k }) => { if (Array.isArray(x[key])) x[key] = x[key].map((v: any, i: number) => (i === k && isObject(v) && !Array.isArray(v) ? { ...v, k } : v)) },
  readList: onList(({ x, y, k }, { log }) => {
    log.push(show([x.length, x.indexOf(y), x.includes(y), x.some(isObject), x.every(isObject), x.findIndex((v: any) => v === y), x.at(-1) === x[x.length - 1]]))
    log.push(show([x.slice(1, 3), x.concat([k]).length, x.flat().length, x.flatMap((v: any) => [v, k]).length, [...x].length, [...x.keys()].length]))
    log.push(show(x.reduce((sum: number, v: any, i: number, list: any) => sum + (list === x ? 1 : 0) + i + (isObject(v) ? Object.keys(v).length : 0), 0)))
    log.push(String(x.findLast((v: any) => isObject(v)) === x.filter(isObject).at(-1)), x.map((v: any) => typeof v).join())
  }),
  reduceEmpty: onList(({ x }, { log }) => { log.push(typeof x.reduce((p: any) => p)) }),
  wrongCallback: onList(({ x }) => { x.map(5) }),
  borrowed: onList(({ x }, { log }) => { log.push(show(x.push.call({ length: 1 }, 'v')), show(x.slice.call([1, 2, 3], 1))) }),

  read: ({ x, key, value, library }, { log }) => { log.push(show(x), String(key in x), Object.keys(x).join(), String(Array.isArray(x)), show([library.isDraft(x), library.isDraft(value), library.isDraftable(x), library.isModified(x)])) },
  forIn: ({ x }, { log }) => { for (const key in x) log.push(key) },
  entries: ({ x }, { log }) => { log.push(show(Object.entries(x)), show(Object.hasOwn(x, 'a')), Reflect.ownKeys(x).map(String).join()) },
  descriptor: ({ x, key }, { log }) => { const d = Object.getOwnPropertyDescriptor(x, key); log.push(d ? show([d.enumerable, d.writable, d.configurable, isObject(d.value) || d.value]) : 'none') },
  prototype: ({ x }, { log }) => { log.push(String(Object.getPrototypeOf(x)?.constructor?.name), typeof x.toString, typeof x.constructor) },
  keyOrder: ({ x }) => { if (!Array.isArray(x)) { const { a } = x; delete x.a; x.a = a } },

  original: ({ x, library }, { log }) => { log.push(library.isDraft(x) ? show(library.original(x)) : 'none') },
  originalOfNone: ({ library, value }) => { library.original(value) },
  putOriginalBack: ({ x, key, library }) => { const v = x[key]; if (library.isDraft(v)) x[key] = library.original(v) },
  useOriginal: (picked) => { const { x, key, y, library } = picked; if (library.isDraft(y)) x[key] = library.original(y) },
  current: ({ x, library }, { log }) => { log.push(library.isDraft(x) ? show(library.current(x)) : 'none') },
  currentOfNone: ({ library, value }) => { library.current(value) },
  useCurrent: (picked) => { const { x, key, y, library } = picked; if (library.isDraft(y)) x[key] = library.current(y) },

  produceOnDraft: ({ x, key, value, library, k }, { log }) => { if (library.isDraftable(x)) log.push(show(library.produce(x, (d) => { if (k) d[key] = value; else return }))) },
  produceOnDraftAndUse: (picked) => { const { x, key, y, value, library, k } = picked; if (library.isDraftable(y) && fits(picked)) x[key] = library.produce(y, (d) => { if (k) mark(d, 'within', value); if (k > 2) for (const v of Object.values<any>(d)) if (isObject(v)) mark(v, 'deep', k) }) },
  produceOnPlain: ({ x, key, value, library, k }) => { if (library.isDraftable(value)) x[key] = library.produce(value, (d) => { mark(d, 'within', { k }) }) },
  produceWithOuterDraft: (picked) => { const { x, key, y, library, k } = picked; if (fits(picked)) x[key] = library.produce({ n: k }, (d) => { d.outer = y }) },
  produceThrows: ({ x, library }) => { if (library.isDraftable(x)) library.produce(x, (d) => { d.a = 1; throw new Error('boom') }) },
  produceOnOriginal: ({ x, library, k }, { log }) => { if (library.isDraft(x)) log.push(show(library.produce(library.original(x), (d) => { d[Array.isArray(d) ? 0 : 'a'] = k }))) },
  manualDraft: ({ x, library, k, key }, { log }) => { if (library.isDraftable(x)) { const d = library.createDraft(x); if (k) d[key] = k; log.push(show(library.finishDraft(d))) } },
  finishNoDraft: ({ x, library }) => { library.finishDraft(x) },

  leak: ({ x, y }, { leaked }) => { leaked.push(x, y) },
  throws: ({ k }) => { if (k === 0) throw new Error('boom') },
  defineProperty: ({ x, key }) => { Object.defineProperty(x, key, { value: 1, configurable: true, writable: true, enumerable: true }) },
  setPrototype: ({ x, library }) => { if (library.isDraft(x)) Object.setPrototypeOf(x, null) },
  setProto: ({ x, k, library }) => { if (library.isDraft(x) && Object.getPrototypeOf(x) !== null) x['__proto__'] = k === 0 ? { evil: 1 } : 5 },
  freezeAny: ({ x, library }, { log }) => { log.push(String(library.freeze(x, true) === x), String(Object.isFrozen(x))) },
  instance: ({ x, k }, { log }) => { for (const v of Object.values<any>(x)) if (v instanceof Money) { v.doubled = k; v.take({ k }); log.push(String(v.doubled)) } },
  collection: ({ x }) => { for (const v of Object.values<any>(x)) if (v instanceof Map) v.set('k', 2) },
}
const names = Object.keys(STEPS)

const RESULTS: Program['result'][] = [
  ...Array.from({ length: 9 }, () => () => undefined),
  (draft) => draft,
  (draft) => ({ w: draft, x: [Object.values(draft)[0]] }),
  (draft) => Object.values(draft)[0],
  (draft, library) => (Object.keys(draft).length > 2 ? library.nothing : undefined),
  (draft) => [1, { a: draft }, draft],
  (draft, library) => library.current(library.isModified(draft) ? draft : draft),
  () => 5,
]
