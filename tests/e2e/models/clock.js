/** A model that is not pure: it reads the clock, which in the server is the action's own time. */
export default function clock(state = { list: [], at: 0 }, action) {
  return action.type === 'clock/add' ? { list: [...state.list, action.payload], at: Date.now() } : state
}
