/** The measured model: sales orders of 20 lines each, a Redux Toolkit slice whose every action works out an order's total again. */
import { createSlice } from '@reduxjs/toolkit'

const LINES = 20
const cents = (amount) => Math.round(amount * 100) / 100
const total = (order) => cents(order.lines.reduce((sum, line) => sum + line.qty * line.price, 0))

const orders = createSlice({
  name: 'orders',
  initialState: { entities: {} },
  reducers: {
    created(state, { payload: { from, to, lines: count } }) {
      for (let id = from; id < to; id++) {
        const lines = Array.from({ length: count }, (_, i) => ({ sku: `sku-${i}`, name: `Article ${i}`, qty: i + 1, price: cents(1.25 * (i + 1)) }))
        state.entities[`o${id}`] = { id: `o${id}`, customer: `Customer ${id}`, status: 'draft', lines, total: 0 }
      }
    },
    lineAdded(state, { payload: { id, sku, qty, price } }) {
      const order = state.entities[id]
      order.lines.push({ sku, name: `Article ${sku}`, qty, price })
      if (order.lines.length > LINES) order.lines.shift()
      order.total = total(order)
    },
    qtySet(state, { payload: { id, line, qty } }) {
      const order = state.entities[id]
      order.lines[line].qty = qty
      order.total = total(order)
    },
  },
})

export default orders.reducer
