/** The checksum of states: what it takes for equal, and what a change costs, counted in nodes. */
import { test } from 'node:test'
import { readFileSync } from 'node:fs'
import { at } from '../../scripts/lib/paths.mjs'
import { Checksums } from '../../src/checksum.js'
import { assert } from './lib/rig.mjs'

const sumOf = state => new Checksums().of(state)

test('the sums of tests/checksums.json, which the server and native reducers give as well', () => {
  const rows = JSON.parse(readFileSync(at('tests/checksums.json'), 'utf8'))
  assert.ok(rows.length > 20)
  for (const { state, sum } of rows) assert.equal(sumOf(JSON.parse(state)), sum, state)
})

test('the order of keys, −0 and what is undefined make no difference; all else does', () => {
  const state = { a: [1, { b: 'x', c: null }], d: 0 }
  const sum = sumOf(state)
  assert.equal(sumOf({ d: -0, e: undefined, a: [1, { c: null, b: 'x' }] }), sum)
  const others = [
    { a: [1, { b: 'x', c: null }], d: 1 }, { a: [1, { b: 'x' }], d: 0 }, { a: [{ b: 'x', c: null }, 1], d: 0 },
    { a: { 0: 1, 1: { b: 'x', c: null } }, d: 0 }, { a: [1, { b: 'x', c: null }], d: false }, { a: [1, { b: 'x', c: null }], d: '0' },
    { a: [1, { b: 'x', c: null }, null], d: 0 }, { a: [1, { b: null, c: 'x' }], d: 0 }, { d: [1, { b: 'x', c: null }], a: 0 },
  ]
  assert.equal(new Set([sum, ...others.map(sumOf)]).size, others.length + 1)
})

test('from state to state it is the same as of each state alone', () => {
  const names = ['a', 'b', '1', '__proto__', 'constructor', 'toString']
  const roll = dice(7)
  const value = level => {
    const leaves = [1.5, roll(4), `${roll(4)}`, true, null]
    const kind = roll(level > 2 ? 5 : 7)
    if (kind < 5) return leaves[kind]
    const parts = Array.from({ length: roll(4) }, () => value(level + 1))
    return kind === 5 ? parts : Object.fromEntries(parts.map(part => [names[roll(6)], part]))
  }
  const checksums = new Checksums()
  let state = {}
  for (let i = 0; i < 5_000; i++) {
    const entries = Object.entries(state).filter(() => roll(5) > 0)
    const name = names[roll(6)]
    const was = Object.hasOwn(state, name) ? state[name] : undefined
    const next = Array.isArray(was) ? [...was.slice(roll(2)), value(1)] : value(1)
    state = Object.fromEntries([...entries, [name, next]])
    assert.equal(checksums.of(state), sumOf(JSON.parse(JSON.stringify(state))), `step ${i}: ${JSON.stringify(state)}`)
  }
})

test('one field in a state of 10,000 orders: only what leads to it is looked into', () => {
  let looks = 0
  /** Counts whoever lists its keys. */
  const counted = object => new Proxy(object, { ownKeys: target => (looks++, Reflect.ownKeys(target)) })
  const order = (id, count) => counted({ id, count, customer: counted({ name: 'Ann' }) })
  const entities = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`order-${i}`, order(`order-${i}`, 0)]))
  const checksums = new Checksums()
  const state = counted({ entities: counted(entities) })
  checksums.of(state)
  assert.ok(looks >= 20_000, 'the first time all of it is')
  looks = 0
  const changed = counted({ entities: counted({ ...entities, 'order-7': counted({ ...entities['order-7'], count: 1 }) }) })
  looks = 0
  const sum = checksums.of(changed)
  // The state, its entities and the order, each as it is and as it was.
  assert.ok(looks <= 6, `${looks} looks`)
  assert.equal(sum, sumOf(JSON.parse(JSON.stringify(changed))))
  looks = 0
  checksums.of(changed)
  assert.equal(looks, 0, 'a state that was seen costs nothing')
})

test('a list that loses its first item: no item is looked into', () => {
  let looks = 0
  const items = Array.from({ length: 10_000 }, (_, i) => new Proxy({ i }, { ownKeys: target => (looks++, Reflect.ownKeys(target)) }))
  const checksums = new Checksums()
  checksums.of({ items })
  looks = 0
  checksums.of({ items: items.slice(1) })
  assert.equal(looks, 0)
})

test('what has no checksum has none, and does no harm', () => {
  const circle = {}
  circle.self = circle
  const checksums = new Checksums()
  assert.ok(Number.isNaN(checksums.of(circle)))
  assert.equal(checksums.of({ a: 1 }), sumOf({ a: 1 }))
})

function dice(seed) {
  return sides => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return (seed >>> 8) % sides
  }
}
