/** Tests of the sales-order model: transitions, totals, reasons, identity, hostile ids. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import reducer, { initialState, validate } from './reducer.js'
import { deepFreeze, fold } from '../testing.js'
import { randomActions } from './random-actions.js'

const create = (id = '1', customer = 'Ann') => ({ type: 'create', payload: { id, customer } })
const addLine = (id, line) => ({ type: 'addLine', payload: { id, line } })
const removeLine = (id, lineId) => ({ type: 'removeLine', payload: { id, lineId } })
const plain = (type, id = '1') => ({ type, payload: { id } })
const apples = { id: 'a', sku: 'apple', quantity: 3, price: 45 }
const desk = { id: 'b', sku: 'desk', quantity: 1, price: 19_900 }

const after = (...actions) => deepFreeze(fold(reducer, actions))

test('the transcript of the design: a record word for word, and a reason', () => {
  const state = after(create())
  assert.equal(
    JSON.stringify(state.entities['1']),
    '{"id":"1","customer":"Ann","status":"draft","lines":[],"total":0}',
  )
  assert.equal(validate(state, plain('confirm')), 'order 1 has no lines')
})

test('lines come and go, and the total follows', () => {
  const two = after(create(), addLine('1', apples), addLine('1', desk))
  assert.deepEqual(two.entities['1'].lines, [apples, desk])
  assert.equal(two.entities['1'].total, 3 * 45 + 19_900)
  const one = reducer(two, removeLine('1', 'b'))
  assert.deepEqual(one.entities['1'].lines, [apples])
  assert.equal(one.entities['1'].total, 135)
})

test('a line without an id goes by its sku', () => {
  const { id: _, ...typed } = apples
  const state = after(create(), addLine('1', typed))
  assert.equal(state.entities['1'].lines[0].id, 'apple')
  assert.equal(validate(state, addLine('1', typed)), 'order 1 has a line apple already')
})

test('what is more than the model knows is not taken into a line', () => {
  const state = after(create(), addLine('1', { ...apples, note: 'x'.repeat(100) }))
  assert.deepEqual(state.entities['1'].lines, [apples])
})

test('draft to confirmed or cancelled, and no further', () => {
  const draft = after(create(), addLine('1', apples))
  for (const [type, status] of [['confirm', 'confirmed'], ['cancel', 'cancelled']]) {
    assert.equal(validate(draft, plain(type)), undefined)
    const ended = deepFreeze(reducer(draft, plain(type)))
    assert.equal(ended.entities['1'].status, status)
    for (const action of [
      plain('confirm'),
      plain('cancel'),
      addLine('1', desk),
      removeLine('1', 'a'),
      { type: 'update', payload: { id: '1', customer: 'Bo' } },
    ]) {
      assert.equal(validate(ended, action), `order 1 is ${status}`)
    }
    assert.equal(validate(ended, plain('delete')), undefined)
  }
})

test('update changes the customer, delete takes the order away', () => {
  const state = after(create('1'), create('2', 'Bo'))
  const updated = reducer(state, { type: 'update', payload: { id: '1', customer: 'Cy' } })
  assert.equal(updated.entities['1'].customer, 'Cy')
  assert.equal(updated.entities['2'], state.entities['2'], 'the other order keeps its reference')
  assert.deepEqual(Object.keys(reducer(state, plain('delete')).entities), ['2'])
})

test('every refusal has a reason that a person understands', () => {
  const state = after(create(), addLine('1', apples))
  const cases = [
    [create(), 'order 1 exists already'],
    [create('', 'Ann'), 'id is missing'],
    [create(7, 'Ann'), 'id must be a string, not 7'],
    [create('2', ' '), 'customer is missing'],
    [create('2', 'x'.repeat(201)), 'customer is longer than 200 characters'],
    [plain('confirm', '9'), 'there is no order 9'],
    [plain('delete', '9'), 'there is no order 9'],
    [addLine('1', undefined), 'line is missing'],
    [addLine('1', apples), 'order 1 has a line a already'],
    [addLine('1', { ...desk, sku: undefined }), 'sku is missing'],
    [addLine('1', { ...desk, quantity: 0 }), 'quantity must be at least 1, not 0'],
    [addLine('1', { ...desk, quantity: -2 }), 'quantity must be at least 1, not -2'],
    [addLine('1', { ...desk, quantity: 1.5 }), 'quantity must be a whole number, not 1.5'],
    [addLine('1', { ...desk, quantity: '2' }), 'quantity must be a whole number, not "2"'],
    [addLine('1', { ...desk, price: undefined }), 'price is missing'],
    [addLine('1', { ...desk, price: -1 }), 'price must be at least 0, not -1'],
    [removeLine('1', 'z'), 'order 1 has no line z'],
    [removeLine('1'), 'lineId is missing'],
    [{ type: 'confirm' }, 'payload is missing'],
    [{ type: 'frobnicate', payload: { id: '1' } }, 'unknown action "frobnicate"'],
  ]
  for (const [action, reason] of cases) assert.equal(validate(state, action), reason)
})

test('what does not apply gives back the very state', () => {
  const state = after(create(), addLine('1', apples))
  const idle = [
    { type: '@@redux/INIT' },
    { type: 'constructor', payload: { id: '1' } },
    { type: 'create' },
    create(),
    plain('confirm', '9'),
    addLine('1', apples),
    addLine('1', { ...desk, quantity: NaN }),
    removeLine('1', 'z'),
    { type: 'update', payload: { id: '1', customer: 'Ann' } },
    undefined,
  ]
  for (const action of idle) assert.equal(reducer(state, action), state)
  assert.equal(reducer(undefined, { type: '@@redux/INIT' }), initialState)
})

test('ids with a meaning to JavaScript do no harm', () => {
  assert.equal(validate(initialState, create('__proto__')), 'id must not be __proto__')
  assert.equal(reducer(initialState, create('__proto__')), initialState)
  for (const id of ['constructor', 'toString', 'hasOwnProperty']) {
    assert.equal(validate(initialState, plain('delete', id)), `there is no order ${id}`)
    const state = after(create(id), addLine(id, { ...apples, id }))
    assert.equal(state.entities[id].total, 135)
    assert.deepEqual(reducer(state, plain('delete', id)), initialState)
  }
  assert.equal({}.polluted, undefined)
})

test('the reducer leaves alone what it is given, whatever comes', () => {
  const actions = deepFreeze(randomActions(1, 3_000))
  let state = deepFreeze(initialState)
  for (const action of actions) state = deepFreeze(reducer(state, action))
  const allowed = actions.filter((action) => validate(state, action) === undefined)
  assert.ok(Object.keys(state.entities).length > 50)
  assert.ok(allowed.length > 0)
})

test('random actions: the same for the same seed, allowed and refused ones among them', () => {
  assert.deepEqual(randomActions(7, 200), randomActions(7, 200))
  assert.notDeepEqual(randomActions(7, 200), randomActions(8, 200))
  let state = initialState
  let refused = 0
  for (const action of randomActions(7, 3_000)) {
    if (validate(state, action) === undefined) state = reducer(state, action)
    else refused += 1
  }
  assert.ok(refused > 300 && refused < 1_800, `${refused} of 3,000 were refused`)
  for (const order of Object.values(state.entities)) {
    assert.equal(order.total, order.lines.reduce((sum, line) => sum + line.quantity * line.price, 0))
    assert.ok(order.status !== 'confirmed' || order.lines.length > 0)
  }
})
