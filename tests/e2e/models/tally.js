/** A model whose state stays small however many actions come: counts them, and notes those that are not one more than the last. */
export default function tally(state = { count: 0, last: -1, strays: [] }, action) {
  if (action.type !== 'tally/add') return state
  const { count, last, strays } = state
  const n = action.payload
  return { count: count + 1, last: n, strays: n === last + 1 ? strays : [...strays, n] }
}
