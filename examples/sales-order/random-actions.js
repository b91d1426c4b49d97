/** Random sales-order actions for tests: mostly plausible, some refused, some malformed, a few foreign. */
import { seeded } from '../random.js'

/** `count` actions; the same seed gives the same ones. */
export function randomActions(seed, count) {
  const random = seeded(seed)
  const orders = []
  const lines = new Map()
  return Array.from({ length: count }, (_, at) => next(random, orders, lines, at))
}

function next(random, orders, lines, at) {
  if (random.chance(0.06)) return structuredClone(random.pick(ODD))
  if (orders.length === 0 || random.chance(0.12)) return create(random, orders, at)
  // Recent orders mostly, so that an order lives through several actions; now and then one that never was.
  const id = random.chance(0.03) ? 'nobody' : orders[Math.max(0, orders.length - 1 - random.below(12))]
  return random.weighted([
    [8, () => addLine(random, lines, id, at)],
    [3, () => ({ type: 'removeLine', payload: { id, lineId: random.pick(lines.get(id) ?? ['l0']) } })],
    [2, () => ({ type: 'update', payload: { id, customer: random.pick(CUSTOMERS) } })],
    [1.5, () => ({ type: 'confirm', payload: { id } })],
    [0.7, () => ({ type: 'cancel', payload: { id } })],
    [0.7, () => ({ type: 'delete', payload: { id } })],
  ])()
}

function create(random, orders, at) {
  const again = orders.length > 0 && random.chance(0.1)
  const id = again ? random.pick(orders) : random.chance(0.3) ? `${at}` : `o${at}`
  if (!again) orders.push(id)
  return { type: 'create', payload: { id, customer: random.pick(CUSTOMERS) } }
}

function addLine(random, lines, id, at) {
  const lineId = `l${at}`
  lines.set(id, [...(lines.get(id) ?? []), lineId])
  const quantity = random.chance(0.04) ? random.pick([0, -1, 1.5]) : random.between(1, 12)
  const line = { id: lineId, sku: random.pick(SKUS), quantity, price: random.between(0, 25_000) }
  return { type: 'addLine', payload: { id, line } }
}

const CUSTOMERS = ['Ann', 'Bo', 'Çelik & Söhne', '山田商店', 'Zoë 🧾', 'O’Neil "Ltd"']
const SKUS = ['apple', 'bolt-m8', 'crate', 'desk', 'élan']
const ODD = [
  { type: 'create' },
  { type: 'create', payload: { id: '', customer: 'Ann' } },
  { type: 'create', payload: { id: 7, customer: 'Ann' } },
  { type: 'create', payload: { id: 'constructor', customer: 'Ann' } },
  { type: 'create', payload: { id: '__proto__', customer: 'Ann' } },
  { type: 'update', payload: { id: 'toString', customer: 'Ann' } },
  { type: 'addLine', payload: { id: 'constructor', line: null } },
  { type: 'addLine', payload: { id: 'constructor', line: { sku: 'apple', quantity: '2', price: 5 } } },
  { type: 'delete', payload: [] },
  { type: 'constructor', payload: { id: 'o1' } },
  { type: 'ui/toggled', payload: { open: true } },
]
