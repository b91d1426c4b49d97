/** A store without Redux: the package asks for nothing but its shape. */
export const reducer = (state = { list: [] }, action) => (action.type === 'journal/add' ? { list: [...state.list, action.payload] } : state)
export const makeStore = twin => {
  let state = twin.reducer(undefined, { type: '@@init' })
  const reduce = action => { state = twin.reducer(state, action); return action }
  const api = { getState: () => state, dispatch: action => dispatch(action) }
  const dispatch = twin.middleware(api)(reduce)
  return api
}
