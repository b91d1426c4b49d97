/** Orders in Redux Toolkit: the tests import it as it is, the server runs it bundled. */
import { createSlice } from '@reduxjs/toolkit'

const orders = createSlice({
  name: 'orders',
  initialState: { entities: {} },
  reducers: {
    created(state, { payload: { id, customer } }) {
      if (!Object.hasOwn(state.entities, id)) state.entities[id] = { id, customer, count: 0 }
    },
    bumped(state, { payload }) {
      if (Object.hasOwn(state.entities, payload)) state.entities[payload].count += 1
    },
    doubled(state, { payload }) {
      if (Object.hasOwn(state.entities, payload)) state.entities[payload].count *= 2
    },
    closed(state, { payload }) {
      if (Object.hasOwn(state.entities, payload)) state.entities[payload].isClosed = true
    },
    noted(state, { payload }) {
      state.note = payload
    },
    failed() {
      throw new Error('this action always throws')
    },
  },
})

export const { created, bumped, doubled, closed, noted, failed } = orders.actions

export const initialState = orders.getInitialState()

/** The server's rule. The clients of these tests do not ask it, unless they are given it. */
export function validate(state, action) {
  const order = state.entities[action.payload]
  if (action.type === bumped.type && order === undefined) return `there is no order ${action.payload}`
  if (action.type === bumped.type && order.isClosed) return `order ${action.payload} is closed`
  if (action.type === created.type && action.payload.customer === 'nobody') return 'nobody orders nothing'
}

export default orders.reducer
