/** A model that hides nothing: it keeps each action's payload in order, so an action applied twice, or never, shows. */
export default function journal(state = { list: [] }, action) {
  return action.type === 'journal/add' ? { list: [...state.list, action.payload] } : state
}

export const add = payload => ({ type: 'journal/add', payload })
