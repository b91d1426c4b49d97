/**
 * What is done better on this side of the border: walks over plain values (a step costs nanoseconds here and
 * a microsecond from WASM), and objects that are put together field by field.
 *
 * No rule of synchronisation lives here; `web.rs` has the other half.
 */

/** Every failure as the app sees it: rule, what was received, what to do. */
const MESSAGES = {
  'not-plain': found => `a twinned action must be plain JSON, but ${found}: leave it out, or do not twin the action`,
  'too-deep': found => `a twinned action is nested too deeply: ${found} goes past the limit. Send less in one action`,
  'too-large': sizes => `a twinned action is too large: ${sizes}. Send less in one action`,
  reducing: () => 'reducers and `validate` must not dispatch actions',
  'outbox-full': () =>
    'the outbox holds as much as its limits allow: the action was not taken. Connect, drop actions, or raise limits.outboxActions and limits.outboxBytes',
  'impure-reducer': () =>
    'the reducer gives a new state for an action it does not know, so that every action would be twinned: return the same state, or say with `sync` which actions are meant',
  'preloaded-state': () =>
    "the store was given a state for a twin's slice, which only its twin may set: give createTwin a `snapshot` instead",
}

class TwinError extends Error {
  constructor(code, message) {
    super(message)
    this.code = code
  }
}
// Here and not in each: a stack begins with the name that an error had when it was made.
TwinError.prototype.name = 'TwinError'

/** A TwinError: see the package's types. */
export function twinError(code, detail = '') {
  return new TwinError(code, MESSAGES[code]?.(detail) ?? detail)
}

const FOREIGN = /^(@@redux|@@INIT|@ngrx\/|@@twin\/)/

/**
 * What an action asks for: 0: passes untouched (not an action of the app, or `meta.twin` is false), else the sum of
 * 1: an action; 2: always twinned; 4: routed to the server; 8: routed optimistically.
 */
export function wish(action) {
  if (typeof action !== 'object' || action === null || typeof action.type !== 'string' || FOREIGN.test(action.type)) return 0
  const twin = action.meta?.twin
  // One with a name is a twin's own, for the stores.
  if (twin === false || twin?.name !== undefined) return 0
  // A stamp says that the action was taken before: dispatched again, it is judged anew.
  const asks = twin === true || (typeof twin === 'object' && twin !== null && twin.id === undefined)
  const routing = { server: 4, optimistic: 8 }[twin?.routing] ?? 0
  return 1 + (asks ? 2 : 0) + routing
}

/** The action as it is stored and sent: a copy with its stamp. */
export function stamp(action, client, n, user) {
  const twin = { id: randomText(12), at: Date.now(), client, n }
  if (user) twin.user = user
  const retryOf = action.meta?.twin?.retryOf
  if (retryOf !== undefined) twin.retryOf = retryOf
  return { ...action, meta: { ...action.meta, twin } }
}

/** The stamped action with another number. */
export function restamp(stamped, n) {
  return { ...stamped, meta: { ...stamped.meta, twin: { ...stamped.meta.twin, n } } }
}

/** What the app's `coalesce` or `upcast` gave, with the stamp it is to have; undefined where it is no action. */
export function mergedAction(merged, stamped) {
  if (typeof merged?.type === 'string') return { ...merged, meta: { ...merged.meta, twin: stamped.meta.twin } }
}

/** The bytes of a stamped action as JSON text. Throws a TwinError where it is not plain, or beyond its limits. */
export function weigh(stamped, bytesMax, depthMax) {
  const found = walk(stamped, depthMax, [])
  if (found) throw twinError(found[0], found[1].reduceRight((path, key) => path + key, 'action') + found[2])
  const text = textOf(stamped)
  const bytes = byteLength(text)
  if (bytes > bytesMax) throw twinError('too-large', `${bytes} bytes as JSON, at most ${bytesMax}`)
  return bytes
}

/** The code, the path in reverse, and what is there. */
function walk(value, levels, above) {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      return Number.isFinite(value) ? undefined : notPlain(value)
    case 'object':
      if (value === null) return
      break
    default:
      return notPlain(value === undefined ? value : `a ${typeof value}`)
  }
  if (above.includes(value)) return notPlain('a part of itself')
  if (levels === 0) return ['too-deep', [], '']
  above.push(value)
  const found = Array.isArray(value) ? walkArray(value, levels - 1, above) : walkObject(value, levels - 1, above)
  above.pop()
  return found
}

function walkArray(value, levels, above) {
  for (let i = 0; i < value.length; i++) {
    const found = walk(value[i], levels, above)
    if (found) return at(found, `[${i}]`)
  }
}

function walkObject(value, levels, above) {
  if (!isPlain(value)) return notPlain(`of the class ${value.constructor?.name}`)
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return at(notPlain('a key that is not taken'), '.__proto__')
    // Absent for JSON, on both sides.
    const found = value[key] === undefined ? undefined : walk(value[key], levels, above)
    if (found) return at(found, `.${key}`)
  }
}

const notPlain = what => ['not-plain', [], ` is ${what}`]

function at(found, step) {
  found[1].push(step)
  return found
}

function isPlain(value) {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** The texts of actions: made once, for storage and for the wire. */
const texts = new WeakMap()

export function textOf(action) {
  let text = texts.get(action)
  if (text === undefined) texts.set(action, (text = JSON.stringify(action)))
  return text
}

/** An action from its text. */
export function actionOf(text) {
  const action = JSON.parse(text)
  texts.set(action, text)
  return action
}

/** Bytes of a text in UTF-8. */
function byteLength(text) {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return bytes
}

/** `next`, with every part that is equal in value to a part of `prev` taken from `prev`. Changes neither. */
export function share(prev, next, levels = 500) {
  if (Object.is(prev, next)) return prev
  if (typeof prev !== 'object' || typeof next !== 'object' || prev === null || next === null || levels === 0) return next
  const list = Array.isArray(next)
  if (list !== Array.isArray(prev) || (!list && !(isPlain(prev) && isPlain(next)))) return next
  const keys = Object.keys(next)
  let same = keys.length === Object.keys(prev).length && (!list || prev.length === next.length)
  let out
  for (const key of keys) {
    const known = Object.hasOwn(prev, key)
    const value = known ? share(prev[key], next[key], levels - 1) : next[key]
    if (value !== next[key]) {
      out ??= list ? next.slice() : { ...next }
      // Not an assignment, which would take an own `__proto__` for the prototype.
      Object.defineProperty(out, key, { value, enumerable: true, writable: true, configurable: true })
    }
    same &&= known && Object.is(value, prev[key])
  }
  return same ? prev : (out ?? next)
}

/** The internal action that carries a new state below the middleware. */
export function rebaseAction(key, payload) {
  return { type: '@@twin/rebase', payload, meta: { twin: { name: key } } }
}

/** What a stamped action made of which state, so that the store's reducer need not run again. */
export class Memo {
  #steps = new WeakMap()

  set(action, from, to) {
    this.#steps.set(action, [from, to])
  }

  has(action) {
    return this.#steps.has(action)
  }

  /** In a list of one, since any value may be a state; undefined: nothing is known from there. */
  at(action, state) {
    const step = this.#steps.get(action)
    return step && step[0] === state ? [step[1]] : undefined
  }
}

/** Random letters and digits. */
export function randomText(length) {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(length))
  return Array.from(bytes, byte => 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]).join('')
}
