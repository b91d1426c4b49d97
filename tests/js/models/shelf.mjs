/** A model for NgRx: actions as createAction makes them, with their fields beside the type. */
const initialState = { entities: {} }

const put = (state, item) => ({ ...state, entities: { ...state.entities, [item.id]: item } })

export function validate(state, action) {
  if (action.type === '[Shelf] added' && action.id === 'forbidden') return 'this one is forbidden'
}

export default function shelf(state = initialState, action) {
  const item = Object.hasOwn(state.entities, action.id ?? '') ? state.entities[action.id] : undefined
  switch (action.type) {
    case '[Shelf] added':
      return item ? state : put(state, { id: action.id, count: 0 })
    case '[Shelf] counted':
      return item ? put(state, { ...item, count: item.count + 1 }) : state
    case '[Shelf] failed':
      throw new Error('this action always throws')
    default:
      return state
  }
}
