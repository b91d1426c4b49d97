/** What a developer reads when something is wrong: which rule, what was received, what to do; under the error's own name. */
import { execFile } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { at } from '../../scripts/lib/paths.mjs'
import { assert, rejectionOf, rig, twinError, twinOf } from './lib/rig.mjs'
import { createTwin } from './lib/twinstore.mjs'
import ordersReducer, { noted } from './models/orders.mjs'

/** Runs a module to which nothing of the package was loaded yet; `index` is what a browser loads. */
async function fresh(body) {
  const index = pathToFileURL(at('dist/index.js')).href
  const script = `const { createTwin, init, initSync } = await import(${JSON.stringify(index)})\n${body}`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
  return JSON.parse(stdout)
}
const SAID = 'error => console.log(JSON.stringify({ code: error.code, name: error.name, message: error.message, cause: String(error.cause) }))'
const thrown = work => {
  try {
    work()
  } catch (error) {
    return error
  }
}

test('createTwin before init: says to await init', async () => {
  const { code, name, message } = await fresh(`
    try { createTwin({ url: null, stream: 'm/x', reducer: (state = 0) => state }) } catch (error) { (${SAID})(error) }`)
  assert.deepEqual([code, name], ['no-init', 'TwinError'])
  assert.match(message, /await init\(\)/)
})

test('a WASM that is none, as where a server answers with a page: says what to do, and keeps the cause', async () => {
  const { code, message, cause } = await fresh(`await init(new TextEncoder().encode('<!doctype html>')).catch(${SAID})`)
  assert.equal(code, 'no-wasm')
  assert.match(message, /twinstore_bg\.wasm could not be loaded: .*document\.baseURI/)
  assert.match(cause, /CompileError/)
})

test('init after one that failed, and again: the twin works', async () => {
  const wasm = JSON.stringify(at('dist/twinstore_bg.wasm'))
  const state = await fresh(`
    const { readFileSync } = await import('node:fs')
    await init(new Uint8Array(8)).catch(() => {})
    for (let i = 0; i < 2; i++) await init(readFileSync(${wasm}))
    const twin = createTwin({ url: null, stream: 'm/x', reducer: (state = { n: 0 }) => state })
    console.log(JSON.stringify(twin.reducer(undefined, { type: 'x' })))
    twin.close()`)
  assert.deepEqual(state, { n: 0 })
})

test('a stack begins with the error’s name, as consoles print it', () => {
  const { store } = rig({ store: { checks: false } })
  assert.match(thrown(() => store.dispatch(noted(() => {}))).stack, /^TwinError: a twinned action must be plain JSON/)
})

test('not plain: where, and what is there', () => {
  const { store } = rig({ store: { checks: false } })
  const own = {}
  own.self = own
  const CASES = [
    [{ done() {} }, 'action.payload.done is a function'], [{ big: 1n }, 'action.payload.big is a bigint'], [[NaN], 'action.payload[0] is NaN'],
    [{ at: new Date(0) }, 'action.payload.at is of the class Date'], [[undefined], 'action.payload[0] is undefined'],
    [own, 'action.payload.self is a part of itself'], [JSON.parse('{"__proto__":1}'), 'action.payload.__proto__ is a key that is not taken'],
  ]
  for (const [payload, says] of CASES)
    assert.throws(() => store.dispatch(noted(payload)), twinError('not-plain', ({ message }) => {
      assert.ok(message.includes(says), message)
      assert.match(message, /leave it out/)
    }))
})

test('a bad option: the rule, and what was given', () => {
  const good = { url: null, stream: 'orders/options', reducer: ordersReducer }
  const CASES = [
    [{ url: undefined }, /`url` must be given: .*; it is undefined$/], [{ stream: 'acme' }, /<model>\/<name>.*; it is "acme"$/],
    [{ reducer: {} }, /`reducer` must be given.*; it is of type object$/], [{ validate: null }, /`validate` must be a function; it is null$/],
    [{ routing: 'servr' }, /`routing` must be one of optimistic, server; it is "servr"$/],
    [{ storage: 'localStorage' }, /`storage` must be one of auto, indexedDB, memory; it is "localStorage"$/],
    [{ durability: true }, /`durability` must be one of relaxed, strict; it is true$/],
    [{ schema: 0 }, /`schema` must be a whole number from 1; it is 0$/], [{ limits: { outbox: 5 } }, /limits\.outbox must be a known limit/],
    [{ announce: 5 }, /`announce` must be .*; it is 5$/], [{ user: 7 }, /`user` must be text; it is 7$/], [{ sync: [1] }, /`sync` must be .*; it is of type object$/],
  ]
  for (const [bad, says] of CASES)
    assert.throws(() => createTwin({ ...good, ...bad }), twinError('bad-option', ({ message }) => assert.match(message, says)))
})

test('an action that is not this twin’s: says what to give', async () => {
  const { twin } = twinOf()
  twinError('not-twinned', ({ message }) => assert.match(message, /what dispatch returned/))(await rejectionOf(twin.confirmed({ type: 'x' })))
})
