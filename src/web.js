/**
 * What is done better on this side of the border: walks over plain values (a step costs nanoseconds here and
 * a microsecond from WASM), and closures that the garbage collector must be able to see through.
 *
 * No rule of synchronisation lives here; `web.rs` has the other half.
 */

/** The action as it is stored and sent: a copy with its stamp. */
export function stamp(action, twin) {
  return { ...action, meta: { ...action.meta, twin } }
}

/** Why a value is not plain JSON: `[code, path]`; undefined: it is. */
export function impurity(value, depthMax) {
  const found = walk(value, depthMax, [])
  return found && [found[0], found[1].reduceRight((path, key) => `${path}${key}`, 'action')]
}

function walk(value, levels, above) {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return
    case 'number':
      return Number.isFinite(value) ? undefined : ['not-plain', []]
    case 'object':
      if (value === null) return
      break
    default:
      return ['not-plain', []]
  }
  if (above.includes(value)) return ['not-plain', []]
  if (levels === 0) return ['too-deep', []]
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
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return ['not-plain', []]
  for (const key of Object.keys(value)) {
    if (key === '__proto__') return ['not-plain', ['.__proto__']]
    // Absent for JSON, on both sides.
    const found = value[key] === undefined ? undefined : walk(value[key], levels, above)
    if (found) return at(found, `.${key}`)
  }
}

function at(found, step) {
  found[1].push(step)
  return found
}

/** Bytes of a text in UTF-8. */
export function byteLength(text) {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return bytes
}

const isPlain = value => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
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

/** A TwinError: see the package's types. */
export function twinError(code, message, cause) {
  const error = new Error(message, cause === undefined ? undefined : { cause })
  error.name = 'TwinError'
  error.code = code
  return error
}

/** The Redux middleware round `take`. `next` is held by this closure alone, so that a store can be collected. */
export function middleware(take, attach) {
  return api => next => {
    attach(next)
    return action => {
      // Throws Redux's own error while a reducer runs, before anything is stored.
      if (typeof action === 'object' && action !== null) api.getState()
      return take(action, next)
    }
  }
}

/** What becomes of one action: `durable` and `confirmed`, each told once, asked for at any time. */
export class Ticket {
  constructor(n) {
    this.n = n
    this.facts = {}
  }
  fact(name) {
    return (this.facts[name] ??= deferred())
  }
  promise(name) {
    return this.fact(name).promise
  }
  resolve(name, value) {
    this.fact(name).resolve(value)
  }
  reject(name, error) {
    this.fact(name).reject(error)
  }
}

/** A promise with its ends. That nobody waits for it is no error. */
export function deferred() {
  const ends = {}
  ends.promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }))
  ends.promise.catch(() => {})
  return ends
}

/** Holds a Web Lock until the page ends. Resolves with whether it was had; without `wait` it is asked for once. */
export function holdLock(name, wait) {
  const locks = globalThis.navigator?.locks
  if (!locks) return Promise.resolve(true)
  return new Promise((resolve, reject) => {
    const held = lock => {
      resolve(lock !== null)
      return lock && new Promise(() => {})
    }
    locks.request(name, { ifAvailable: !wait }, held).catch(reject)
  })
}

/** Runs `work`, which gives a promise, while no other page runs work under that name. */
export function underLock(name, work) {
  const locks = globalThis.navigator?.locks
  return locks ? locks.request(name, work) : work()
}

/** Calls `wake` whenever the browser says that trying again may be worth while. Gives the way to stop. */
export function onWake(wake) {
  const targets = [[globalThis, 'online'], [globalThis, 'pageshow'], [globalThis.document, 'visibilitychange'], [globalThis.document, 'resume']]
  const live = targets.filter(([target]) => typeof target?.addEventListener === 'function')
  for (const [target, name] of live) target.addEventListener(name, wake)
  return () => {
    for (const [target, name] of live) target.removeEventListener(name, wake)
  }
}

/** `localStorage` where there is one that can be used. */
export function localStorageWorks() {
  try {
    const probe = 'twinstore:probe'
    globalThis.window.localStorage.setItem(probe, probe)
    globalThis.window.localStorage.removeItem(probe)
    return true
  } catch {
    return false
  }
}

/** Random bytes as text of `length` letters and digits. */
export function randomText(length) {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(length))
  return Array.from(bytes, byte => 'abcdefghijklmnopqrstuvwxyz234567'[byte & 31]).join('')
}
