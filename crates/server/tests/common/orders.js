const initial = { entities: {} }
const put = (state, order) => ({ entities: { ...state.entities, [order.id]: order } })

export default (state = initial, { type, payload }) => {
  const order = state.entities[payload?.id]
  switch (type) {
    case 'create': {
      const { id, customer } = payload
      return put(state, { id, customer, status: 'draft', lines: [], total: 0 })
    }
    case 'addLine': {
      const lines = [...order.lines, payload.line]
      return put(state, { ...order, lines, total: lines.reduce((sum, line) => sum + line.price, 0) })
    }
    case 'confirm':
      return put(state, { ...order, status: 'confirmed' })
    case 'delete': {
      const { [payload.id]: _, ...entities } = state.entities
      return { entities }
    }
    case 'throw':
      throw new Error('as asked')
    default:
      return state
  }
}

export const validate = (state, { type, payload }) => {
  const order = state.entities[payload?.id]
  if (type === 'addLine' && !order) return `there is no order ${payload.id}`
  if (type === 'confirm' && order?.lines.length === 0) return `order ${payload.id} has no lines`
}
