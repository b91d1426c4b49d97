// What surrounds a model in its runtime: a fixed clock and dice, the state, and checks.
//
// Evaluated before the model, so that it holds the intrinsics as they were; gives a function that
// takes the model and gives the calls that quickjs.rs makes. All that crosses is JSON text.
(LIMITS => {
  'use strict'
  const { parse, stringify } = JSON
  const { keys, getPrototypeOf, prototype: plain, defineProperty } = Object
  const { isArray } = Array
  const { isFinite } = Number
  const { get: mapGet, clear: mapClear } = Map.prototype
  const apply = Reflect.apply
  const hasOwn = plain.hasOwnProperty
  const NativeDate = Date
  const wellFormed = String.prototype.toWellFormed
  const slice = String.prototype.slice

  // --- clock: the action's own time, in UTC (I9)

  let now = 0
  const zoned = /(?:Z|[+-]\d{1,2}:?\d{2}|GMT|UTC?|[ECMP][SD]T)\s*(?:\([^)]*\))?\s*$/i
  const isoWithTime = /^[+-]?\d{4,6}(?:-\d\d){0,2}T[\d:.,]+$/
  const isoDate = /^[+-]?\d{4,6}(?:-\d\d){0,2}$/
  const parseDate = text => {
    const s = `${text}`
    if (isoDate.test(s)) return NativeDate.parse(s)
    if (isoWithTime.test(s)) return NativeDate.parse(`${s}Z`)
    return NativeDate.parse(zoned.test(s) ? s : `${s} UTC`)
  }
  const dateArguments = args => {
    if (args.length === 0) return [now]
    if (args.length > 1) return [apply(NativeDate.UTC, NativeDate, args)]
    let value = args[0]
    if (value instanceof NativeDate) return [value.getTime()]
    if (value !== null && typeof value === 'object') {
      const convert = value[Symbol.toPrimitive]
      value = convert === undefined ? value.valueOf() : apply(convert, value, ['default'])
      if (value !== null && typeof value === 'object') value = value.toString()
    }
    return [typeof value === 'string' ? parseDate(value) : value]
  }
  function TwinDate(...args) {
    if (!new.target) return new TwinDate().toString()
    return Reflect.construct(NativeDate, dateArguments(args), new.target)
  }
  const hide = (target, name, value) =>
    defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false })
  const D = NativeDate.prototype
  defineProperty(TwinDate, 'prototype', { value: D, writable: false })
  defineProperty(TwinDate, 'name', { value: 'Date', configurable: true })
  defineProperty(TwinDate, 'length', { value: 7, configurable: true })
  hide(TwinDate, 'now', () => now)
  hide(TwinDate, 'parse', parseDate)
  hide(TwinDate, 'UTC', NativeDate.UTC)
  hide(D, 'constructor', TwinDate)
  for (const part of ['FullYear', 'Month', 'Date', 'Hours', 'Minutes', 'Seconds', 'Milliseconds']) {
    hide(D, `get${part}`, D[`getUTC${part}`])
    hide(D, `set${part}`, D[`setUTC${part}`])
  }
  hide(D, 'getDay', D.getUTCDay)
  hide(D, 'getYear', function () { return this.getUTCFullYear() - 1900 })
  hide(D, 'getTimezoneOffset', function () { return this.getTime() === this.getTime() ? 0 : NaN })
  const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
  const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
  const two = n => (n < 10 ? `0${n}` : `${n}`)
  const year = d => {
    const y = d.getUTCFullYear()
    const digits = `000${Math.abs(y)}`
    return (y < 0 ? '-' : '') + (Math.abs(y) < 1000 ? apply(slice, digits, [-4]) : Math.abs(y))
  }
  const dateString = d =>
    `${days[d.getUTCDay()]} ${months[d.getUTCMonth()]} ${two(d.getUTCDate())} ${year(d)}`
  const timeString = d =>
    `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} GMT+0000 (Coordinated Universal Time)`
  const localeDate = d => `${d.getUTCMonth() + 1}/${d.getUTCDate()}/${d.getUTCFullYear()}`
  const localeTime = d => {
    const h = d.getUTCHours()
    return `${h % 12 || 12}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())} ${h < 12 ? 'AM' : 'PM'}`
  }
  const show = (name, text) =>
    hide(D, name, function () { return this.getTime() === this.getTime() ? text(this) : 'Invalid Date' })
  show('toString', d => `${dateString(d)} ${timeString(d)}`)
  show('toDateString', dateString)
  show('toTimeString', timeString)
  show('toLocaleString', d => `${localeDate(d)}, ${localeTime(d)}`)
  show('toLocaleDateString', localeDate)
  show('toLocaleTimeString', localeTime)
  hide(globalThis, 'Date', TwinDate)

  // --- dice: sfc32, seeded by (stream, client, n) (I9)

  let a = 0, b = 0, c = 0, d = 0
  hide(Math, 'random', () => {
    const t = (a + b + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + t | 0
    return (t >>> 0) / 4294967296
  })
  const surround = (at, s0, s1, s2, s3) => {
    now = at
    a = s0 | 0, b = s1 | 0, c = s2 | 0, d = s3 | 0
    // The first numbers of sfc32 still show its seed.
    for (let i = 0; i < 12; i++) Math.random()
  }

  // --- what is not there: other clocks, and what depends on when garbage is collected

  for (const name of ['performance', 'WeakRef', 'FinalizationRegistry', 'Intl', 'queueMicrotask', 'gc', 'Worker', 'navigator'])
    delete globalThis[name]
  // A model that talks is not a broken one; nobody listens.
  const silent = () => undefined
  const talk = {}
  for (const name of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'assert', 'group', 'groupEnd', 'table'])
    talk[name] = silent
  hide(globalThis, 'console', talk)

  // --- what produce says of the objects it made

  // `twinstore/produce` notes here, for each object, which one it was made from and which keys may differ. So what an
  // action costs goes by what it changed, also where there are 10,000 records.
  const made = new Map()
  hide(globalThis, Symbol.for('twinstore.made'), made)
  const changedKeys = (before, after) => {
    const how = apply(mapGet, made, [after])
    return how !== undefined && how.base === before ? how.keys : undefined
  }

  // --- checks

  const text = value => {
    const s = `${value}`
    const whole = wellFormed === undefined ? s : apply(wellFormed, s, [])
    return whole.length > LIMITS.reasonChars ? `${apply(slice, whole, [0, LIMITS.reasonChars])}…` : whole
  }
  const messageOf = thrown => {
    try {
      if (thrown instanceof Error) return text(thrown.message || thrown.name)
      return text(typeof thrown === 'object' && thrown !== null ? stringify(thrown) : thrown)
    } catch {
      return 'it threw something that has no text'
    }
  }
  const { InternalError } = globalThis
  // What the engine throws at its own limits. A model that throws the same is treated the same.
  // It throws null where there is no memory left for an error.
  const isLimit = thrown =>
    thrown === null ||
    (InternalError !== undefined && thrown instanceof InternalError) ||
    (thrown instanceof RangeError && thrown.message === 'Maximum call stack size exceeded')
  const kindOf = value => {
    if (typeof value !== 'object') return typeof value
    const maker = value.constructor
    return typeof maker === 'function' && maker.name ? `a ${maker.name}` : 'an object with a prototype'
  }
  // The state must be JSON (I9). What is the same as before was looked at before. Says where it is not and why: ".x[0] is
  // NaN"; the path is only put together where there is something to say.
  const notJson = (before, after, depth) => {
    if (after === before || after === null) return undefined
    switch (typeof after) {
      case 'string': case 'boolean': return undefined
      case 'number': return isFinite(after) ? undefined : ` is ${after}`
      case 'object': break
      default: return ` is ${typeof after === 'undefined' ? 'undefined' : `a ${kindOf(after)}`}`
    }
    if (depth > LIMITS.stateDepth) return '… is nested too deeply, or in a circle'
    const old = before !== null && typeof before === 'object' ? before : undefined
    if (isArray(after)) return notJsonList(isArray(old) ? old : [], after, depth)
    const prototype = getPrototypeOf(after)
    if (prototype !== plain && prototype !== null) return ` is ${kindOf(after)}`
    const names = changedKeys(before, after) ?? keys(after)
    for (let i = 0; i < names.length; i++) {
      const key = names[i]
      const value = after[key]
      const was = old === undefined ? undefined : old[key]
      if (value === was || value === undefined) continue
      // What was deleted is among the changed; what it inherits is not the state's.
      if (!apply(hasOwn, after, [key])) continue
      const wrong = notJson(was, value, depth + 1)
      if (wrong !== undefined) return at(depth, `.${key}`, wrong)
    }
    return undefined
  }
  const notJsonList = (before, after, depth) => {
    let moved = 0 // how far the elements lie from where they were: one was put in or taken out before them
    for (let i = 0; i < after.length; i++) {
      const value = after[i]
      if (value === undefined) return at(depth, `[${i}]`, ' is undefined')
      if (value === before[i + moved]) continue
      if (value === before[i + moved + 1]) moved++
      else if (value === before[i + moved - 1]) moved--
      else {
        const wrong = notJson(before[i + moved], value, depth + 1)
        if (wrong !== undefined) return at(depth, `[${i}]`, wrong)
      }
    }
    return undefined
  }
  // A path of hundreds of steps tells no more than its beginning.
  const at = (depth, step, wrong) => (depth < 12 ? step + wrong : wrong)

  return (model, name) => {
    const reducer = model.default
    const { validate, records, upcast, migrate, authorize } = model
    let state
    let next // what the records are after the last decision
    let shown // what they were at the last call of changes()
    let shownCount // how many of them
    const checksums = new LIMITS.Checksums()
    let dirty // the keys that may differ since then, where they are known

    const isRecords = value => value !== null && typeof value === 'object' && !isArray(value)
    const recordsOf = state => {
      if (typeof records === 'function') {
        const value = records(state)
        if (!isRecords(value)) throw new TypeError('`records(state)` did not give an object of records')
        return value
      }
      if (isRecords(state)) {
        if (isRecords(state.entities)) return state.entities
        if (isRecords(state.byId)) return state.byId
      }
      return { __proto__: null, [name]: state }
    }
    const take = (to, from) => {
      if (from !== next && dirty !== undefined) {
        const names = changedKeys(next, from)
        if (names === undefined) dirty = undefined
        else for (let i = 0; i < names.length; i++) dirty[names[i]] = true
      }
      state = to
      next = from
    }
    const showAll = () => {
      shown = next
      shownCount = keys(shown).length
      dirty = { __proto__: null }
    }
    const own = (object, key) => (apply(hasOwn, object, [key]) ? object[key] : undefined)
    // A record that has no JSON is no record.
    const jsonOf = value => (value === undefined ? undefined : stringify(value))
    const keyText = key => stringify(wellFormed === undefined ? key : apply(wellFormed, key, []))

    const reduce = action => {
      const after = reducer(state, action)
      if (after === undefined) throw new TypeError('the model returned undefined')
      return after
    }

    return {
      init(at, s0, s1, s2, s3) {
        surround(at, s0, s1, s2, s3)
        state = undefined
        const first = reduce({ type: '@@twin/init' })
        const wrong = notJson(undefined, first, 0)
        if (wrong !== undefined) throw new TypeError(`the model's state must be JSON: state${wrong}`)
        take(first, recordsOf(first))
        showAll()
      },
      load(json) {
        const loaded = parse(json)
        take(loaded, recordsOf(loaded))
        showAll()
      },
      // A state of an older schema. It is nobody's action: always the same dice, at time 0.
      migrate(json, schema, at, s0, s1, s2, s3) {
        surround(at, s0, s1, s2, s3)
        const older = parse(json)
        const made = typeof migrate === 'function' ? migrate(older, schema) : older
        const wrong = notJson(undefined, made, 0)
        if (wrong !== undefined) throw new TypeError(`\`migrate(state, schema)\` must give JSON: state${wrong}`)
        // As it will be read again: what is undefined is absent.
        const loaded = parse(stringify(made))
        take(loaded, recordsOf(loaded))
        showAll()
      },
      // '' where the model has none; '=' and the action's text; else what `decide` says.
      upcast(json, schema, at, s0, s1, s2, s3) {
        if (typeof upcast !== 'function') return ''
        surround(at, s0, s1, s2, s3)
        try {
          const made = upcast(parse(json), schema)
          const wrong = isRecords(made) ? notJson(undefined, made, 0) : ` is ${kindOf(made)}`
          if (wrong !== undefined) throw new TypeError(`\`upcast(action, schema)\` did not give a plain action: action${wrong}`)
          // The stamp is the client's, whatever the model made of it.
          const { meta } = parse(json)
          return `=${stringify({ ...made, meta: { ...made.meta, ...(meta && { twin: meta.twin }) } })}`
        } catch (thrown) {
          return stringify({ code: isLimit(thrown) ? 'limit' : 'threw', reason: messageOf(thrown) })
        }
      },
      // Only `true` is a yes: a promise would be truthy.
      authorize(ctx, op, stream, at) {
        surround(at, 1, 2, 3, 4)
        try {
          return authorize(parse(ctx), op, stream) === true ? 'yes' : ''
        } catch (thrown) {
          if (isLimit(thrown)) throw thrown
          return ''
        } finally {
          apply(mapClear, made, [])
        }
      },
      decide(json, at, s0, s1, s2, s3) {
        surround(at, s0, s1, s2, s3)
        try {
          const action = parse(json)
          if (typeof validate === 'function') {
            const reason = validate(state, action)
            if (typeof reason === 'string') return stringify({ code: 'invalid', reason: text(reason) })
          }
          const after = reduce(action)
          const wrong = notJson(state, after, 0)
          if (wrong !== undefined)
            return stringify({ code: 'threw', reason: text(`the model's state must be JSON: state${wrong}`) })
          take(after, recordsOf(after))
          return ''
        } catch (thrown) {
          return stringify({ code: isLimit(thrown) ? 'limit' : 'threw', reason: messageOf(thrown) })
        } finally {
          apply(mapClear, made, [])
        }
      },
      fold(json, at, s0, s1, s2, s3) {
        surround(at, s0, s1, s2, s3)
        try {
          const after = reduce(parse(json))
          take(after, recordsOf(after))
          return ''
        } catch (thrown) {
          return messageOf(thrown) || 'it threw'
        } finally {
          apply(mapClear, made, [])
        }
      },
      changes() {
        const before = shown
        const known = dirty
        shown = next
        dirty = { __proto__: null }
        if (before === next) return '[]'
        const rows = []
        let kept = 0 // keys of before that were met
        const names = keys(known ?? next)
        for (let i = 0; i < names.length; i++) {
          const key = names[i]
          const is = next[key]
          if (is !== undefined && before[key] === is) {
            kept++
            continue
          }
          const had = apply(hasOwn, before, [key])
          if (had) kept++
          if (known !== undefined) shownCount += apply(hasOwn, next, [key]) - had
          const json = jsonOf(own(next, key))
          if (json === jsonOf(own(before, key))) continue
          rows.push(`[${keyText(key)},${json === undefined ? 'null' : json}]`)
        }
        if (known !== undefined) return `[${rows.join(',')}]`
        const count = shownCount
        shownCount = names.length
        // Where each key of before was met, none is gone.
        if (kept === count) return `[${rows.join(',')}]`
        for (const key of keys(before))
          if (!apply(hasOwn, next, [key]) && jsonOf(before[key]) !== undefined) rows.push(`[${keyText(key)},null]`)
        return `[${rows.join(',')}]`
      },
      records() {
        const rows = []
        for (const key of keys(next)) {
          const json = jsonOf(next[key])
          if (json !== undefined) rows.push(`[${keyText(key)},${json}]`)
        }
        return `[${rows.join(',')}]`
      },
      state: () => stringify(state),
      checksum: () => `${checksums.of(state)}`,
    }
  }
})
