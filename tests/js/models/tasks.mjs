/** A second model, which also listens to an action of the first. */
const initialState = { finished: 0, orders: 0 }

export const finished = () => ({ type: 'tasks/finished' })

export default function tasks(state = initialState, { type }) {
  if (type === 'tasks/finished') return { ...state, finished: state.finished + 1 }
  return type === 'orders/created' ? { ...state, orders: state.orders + 1 } : state
}
