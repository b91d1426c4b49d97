/** Bad input to a twin: what dispatch throws for it, and that nothing is stored or shown. */
import { describe, test } from 'node:test'
import { assert, equalsServer, isOnline, isSettled, rig, twinError } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { bumped, created, noted } from './models/orders.mjs'

const server = await startServer()
const cyclic = { list: [{}] }
cyclic.list[0].back = cyclic
const withProto = JSON.parse('{"deep":{"__proto__":{"polluted":true}}}')
class Money {
  constructor(cents) { this.cents = cents }
}
function nested(levels) {
  let value = 1
  for (let i = 0; i < levels; i++) value = { a: value }
  return value
}

describe('not plain: refused with the path', () => {
  const NOT_PLAIN = [
    ['a function', { done() {} }, 'action.payload.done'],
    ['a function itself', () => {}, 'action.payload'],
    ['a symbol', { s: Symbol('s') }, 'action.payload.s'],
    ['a BigInt', { list: [1, { big: 1n }] }, 'action.payload.list[1].big'],
    ['a cycle', cyclic, 'action.payload.list[0].back'],
    ['a class’s instance', { price: new Money(5) }, 'action.payload.price'],
    ['a Date', { at: new Date(0) }, 'action.payload.at'],
    ['a Map', new Map(), 'action.payload'],
    ['a typed array', { bytes: new Uint8Array(2) }, 'action.payload.bytes'],
    ['an Error', { error: new Error('x') }, 'action.payload.error'],
    ['NaN', { x: NaN }, 'action.payload.x'],
    ['infinity', { x: [-Infinity] }, 'action.payload.x[0]'],
    ['undefined in an array', { list: [1, undefined] }, 'action.payload.list[1]'],
    ['a hole in an array', { list: [1, , 2] }, 'action.payload.list[1]'], // eslint-disable-line no-sparse-arrays
    ['an own __proto__', withProto, 'action.payload.deep.__proto__'],
  ]
  for (const [what, payload, path] of NOT_PLAIN)
    test(what, () => {
      const { twin, store, orders, below } = rig({ store: { checks: false } })
      const state = orders()
      assert.throws(() => store.dispatch(noted(payload)), twinError('not-plain', ({ message }) => {
        assert.ok(message.endsWith(path) || message.includes(`${path} `) || message.includes(`${path}:`), `${message} names ${path}`)
      }))
      assert.equal(orders(), state)
      assert.deepEqual(below, [])
      assert.equal(twin.status.pending, 0)
      assert.equal({}.polluted, undefined)
      assert.equal(store.dispatch(noted('fine')).meta.twin.n, 1, 'the twin lives, and no number was used')
    })

  test('anywhere in the action, not only in its payload', () => {
    const { store } = rig({ store: { checks: false } })
    assert.throws(() => store.dispatch({ ...noted(1), meta: { tell: () => {} } }), twinError('not-plain', ({ message }) => assert.match(message, /action\.meta\.tell/)))
    assert.throws(() => store.dispatch({ ...noted(1), error: 1n }), twinError('not-plain', ({ message }) => assert.match(message, /action\.error/)))
  })
})

test('plain enough: undefined fields, objects without a prototype, shared parts, -0, empty keys', async () => {
  const { twin, stream, store, orders } = rig({ server, store: { checks: false } })
  const part = { a: 1 }
  const payload = { gone: undefined, bare: Object.assign(Object.create(null), { b: 2 }), first: part, second: part, zero: -0, '': 'empty', 'ключ': '\u2028"\\' }
  await twin.confirmed(store.dispatch(noted(payload)))
  await equalsServer(orders(), server, stream)
  const [event] = await server.events(stream)
  assert.deepEqual(event.action.payload, { bare: { b: 2 }, first: { a: 1 }, second: { a: 1 }, zero: 0, '': 'empty', 'ключ': '\u2028"\\' })
})

test('too deep: its own error; one level less is taken, by the server too', async () => {
  const { twin, store } = rig({ server, store: { checks: false } })
  assert.throws(() => store.dispatch(noted(nested(64))), twinError('too-deep', ({ message }) => assert.match(message, /action\.payload\.a\.a/)))
  assert.equal(await twin.confirmed(store.dispatch(noted(nested(63)))), 1)
  // A reducer of its own: Redux Toolkit's walks the payload, and runs out of stack before the twin looks at it.
  const shallow = rig({ reducer: (state = {}, { type, payload }) => (type === noted.type ? { payload } : state), store: { checks: false } })
  assert.throws(() => shallow.store.dispatch(noted(nested(100_000))), twinError('too-deep'), 'without running out of stack')
})

test('too large: its own error, counted in bytes of UTF-8; what just fits is taken, by the server too', async () => {
  const { twin, store } = rig({ server })
  await isOnline(twin)
  assert.throws(() => store.dispatch(noted('x'.repeat(64 * 1024))), twinError('too-large', ({ message }) => assert.match(message, /65536/)))
  assert.throws(() => store.dispatch(noted('€'.repeat(22_000))), twinError('too-large'), '66,000 bytes in 22,000 characters')
  assert.equal(twin.status.pending, 0)
  const bytes = action => Buffer.byteLength(JSON.stringify(action))
  const empty = bytes(store.dispatch(noted('')))
  const most = store.dispatch(noted('x'.repeat(65_536 - empty)))
  assert.equal(bytes(most), 65_536)
  assert.equal(await twin.confirmed(most), 2)
  assert.throws(() => store.dispatch(noted('x'.repeat(65_537 - empty))), twinError('too-large'))
})

test('limits may be lowered by the app', () => {
  const { store } = rig({ limits: { actionBytes: 300, actionDepth: 4 }, store: { checks: false } })
  assert.throws(() => store.dispatch(noted('x'.repeat(300))), twinError('too-large', ({ message }) => assert.match(message, /300/)))
  assert.throws(() => store.dispatch(noted(nested(4))), twinError('too-deep'))
  store.dispatch(noted({ a: 1 }))
})

test('a full outbox refuses the dispatch: by actions and by bytes; what is there stays', () => {
  const few = rig({ limits: { outboxActions: 3 } })
  for (const id of ['1', '2', '3']) few.store.dispatch(created({ id, customer: 'Ann' }))
  const state = few.orders()
  assert.throws(() => few.store.dispatch(bumped('1')), twinError('outbox-full', ({ message }) => assert.match(message, /limits\.outbox/)))
  assert.equal(few.orders(), state)
  assert.equal(few.twin.status.pending, 3)
  few.store.dispatch({ type: 'ui/toggled' })
  assert.equal(few.store.getState().ui.toggles, 1, 'what is not twinned still passes')

  const small = rig({ limits: { outboxBytes: 1000 } })
  small.store.dispatch(noted('x'.repeat(500)))
  assert.throws(() => small.store.dispatch(noted('y'.repeat(500))), twinError('outbox-full'))
  small.twin.drop(small.twin.pending()[0].id)
  small.store.dispatch(noted('z'.repeat(500)))
  assert.equal(small.orders().note[0], 'z', 'there is room again')
})

test('an outbox that empties takes actions again', async () => {
  const { twin, store, orders } = rig({ server, limits: { outboxActions: 2 } })
  store.dispatch(created({ id: '1', customer: 'Ann' }))
  store.dispatch(bumped('1'))
  assert.throws(() => store.dispatch(bumped('1')), twinError('outbox-full'))
  await isSettled(twin, 2)
  store.dispatch(bumped('1'))
  assert.equal(orders().entities[1].count, 2)
})

test('keys like __proto__ and constructor in others’ actions harm nobody', async () => {
  const { twin, stream, orders } = rig({ server })
  await isOnline(twin)
  await server.remote(stream, created({ id: 'constructor', customer: 'Ann' }))
  const refused = await server.remote(stream, JSON.parse('{"type":"orders/noted","payload":{"__proto__":{"polluted":1}}}')).catch(error => error)
  await isSettled(twin, await server.remote(stream, bumped('constructor')))
  assert.equal({}.polluted, undefined)
  assert.ok(refused instanceof Error, 'the server refuses it too')
  await equalsServer(orders(), server, stream)
})
