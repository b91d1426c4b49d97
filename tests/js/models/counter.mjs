/** The smallest model. */
export const added = payload => ({ type: 'counter/added', payload })

export default function counter(state = { value: 0 }, { type, payload }) {
  return type === 'counter/added' ? { ...state, value: state.value + payload } : state
}
