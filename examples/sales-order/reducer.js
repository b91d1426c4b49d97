/**
 * The sales-order model: a plain reducer that the browser and the server both run, one file without imports.
 *
 * Two halves: `validate` says what is allowed and why not, the reducer says what an action does. The reducer is
 * total: what is malformed, or has no order to apply to, gives back the very state it was given. Which step may
 * follow which is `validate`'s alone, so that a client that does not ask it still hears the server's reason.
 *
 * Prices are integer cents: sums of fractions differ by the order of adding.
 */

/** An order before its first line; the order of the keys is that of the records people see. */
const emptyOrder = (id, customer) => ({ id, customer, status: 'draft', lines: [], total: 0 })

export const initialState = { entities: {} }

export default function reducer(state = initialState, action) {
  if (malformed(action) !== undefined) return state
  const { type, payload } = action
  const order = find(state, payload.id)
  if (type === 'create') return order ? state : put(state, emptyOrder(payload.id, payload.customer))
  if (order === undefined) return state
  switch (type) {
    case 'update':
      return patch(state, order, { customer: payload.customer })
    case 'addLine':
      return addLine(state, order, lineOf(payload.line))
    case 'removeLine':
      return removeLine(state, order, payload.lineId)
    case 'confirm':
      return patch(state, order, { status: 'confirmed' })
    case 'cancel':
      return patch(state, order, { status: 'cancelled' })
    default: // 'delete', the last of the types that `malformed` lets through
      return without(state, order.id)
  }
}

/** Why the action may not be applied to this state; undefined = it may. */
export function validate(state = initialState, action) {
  const reason = malformed(action)
  if (reason !== undefined) return reason
  const { type, payload } = action
  const order = find(state, payload.id)
  if (type === 'create') return order && `order ${payload.id} exists already`
  if (order === undefined) return `there is no order ${payload.id}`
  if (type === 'delete') return undefined
  if (order.status !== 'draft') return `order ${order.id} is ${order.status}`
  return forbiddenInDraft(order, type, payload)
}

function forbiddenInDraft(order, type, payload) {
  if (type === 'confirm' && order.lines.length === 0) return `order ${order.id} has no lines`
  if (type === 'addLine') {
    const { id } = lineOf(payload.line)
    if (hasLine(order, id)) return `order ${order.id} has a line ${id} already`
  }
  if (type === 'removeLine' && !hasLine(order, payload.lineId)) {
    return `order ${order.id} has no line ${payload.lineId}`
  }
  return undefined
}

/** What is wrong with an action whatever the state; undefined = nothing. */
function malformed(action) {
  const type = action?.type
  if (typeof type !== 'string' || !Object.hasOwn(shapes, type)) return `unknown action ${show(type)}`
  const payload = action.payload
  if (!isObject(payload)) return 'payload is missing'
  return badId(payload.id, 'id') ?? shapes[type](payload)
}

/** What each action needs beside the order's id. */
const shapes = {
  create: (payload) => badText(payload.customer, 'customer'),
  update: (payload) => badText(payload.customer, 'customer'),
  addLine: (payload) => badLine(payload.line),
  removeLine: (payload) => badId(payload.lineId, 'lineId'),
  confirm: () => undefined,
  cancel: () => undefined,
  delete: () => undefined,
}

function badLine(line) {
  if (!isObject(line)) return 'line is missing'
  return (
    badText(line.sku, 'sku') ??
    (line.id === undefined ? badId(line.sku, 'sku') : badId(line.id, 'line id')) ??
    badCount(line.quantity, 'quantity', 1, QUANTITY_MAX) ??
    badCount(line.price, 'price', 0, PRICE_CENTS_MAX)
  )
}

/** `__proto__` is refused: as a key of plain objects it means something else in too many places. */
function badId(id, name) {
  if (id === undefined || id === null || id === '') return `${name} is missing`
  if (typeof id !== 'string') return `${name} must be a string, not ${show(id)}`
  if (id.length > ID_LENGTH_MAX) return `${name} is longer than ${ID_LENGTH_MAX} characters`
  return id === '__proto__' ? `${name} must not be __proto__` : undefined
}

function badText(text, name) {
  if (text === undefined || text === null) return `${name} is missing`
  if (typeof text !== 'string') return `${name} must be a string, not ${show(text)}`
  if (text.trim() === '') return `${name} is missing`
  return text.length > TEXT_LENGTH_MAX ? `${name} is longer than ${TEXT_LENGTH_MAX} characters` : undefined
}

function badCount(count, name, min, max) {
  if (count === undefined || count === null) return `${name} is missing`
  if (!Number.isInteger(count)) return `${name} must be a whole number, not ${show(count)}`
  if (count < min) return `${name} must be at least ${min}, not ${count}`
  return count > max ? `${name} must be at most ${max}, not ${count}` : undefined
}

function addLine(state, order, line) {
  return hasLine(order, line.id) ? state : putLines(state, order, [...order.lines, line])
}

function removeLine(state, order, lineId) {
  const lines = order.lines.filter((line) => line.id !== lineId)
  return lines.length === order.lines.length ? state : putLines(state, order, lines)
}

function putLines(state, order, lines) {
  const total = lines.reduce((sum, line) => sum + line.quantity * line.price, 0)
  return put(state, { ...order, lines, total })
}

function patch(state, order, change) {
  const same = Object.keys(change).every((key) => order[key] === change[key])
  return same ? state : put(state, { ...order, ...change })
}

function put(state, order) {
  return { ...state, entities: { ...state.entities, [order.id]: order } }
}

function without(state, id) {
  const { [id]: _gone, ...entities } = state.entities
  return { ...state, entities }
}

/** `hasOwn`, because an order may be called `constructor`. */
function find(state, id) {
  return Object.hasOwn(state.entities, id) ? state.entities[id] : undefined
}

/** A line's id is the app's to give, so that removing it is safe across a rebase; typed by hand, a line goes by its sku. */
function lineOf({ id, sku, quantity, price }) {
  return { id: id ?? sku, sku, quantity, price }
}

function hasLine(order, lineId) {
  return order.lines.some((line) => line.id === lineId)
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function show(value) {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 64)) : typeof value === 'number' ? `${value}` : typeof value
}

const ID_LENGTH_MAX = 64
const TEXT_LENGTH_MAX = 200
const QUANTITY_MAX = 10_000
const PRICE_CENTS_MAX = 10_000_000
