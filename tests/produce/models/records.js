/** Each action is a list of changes to the records of a slice, some of which leave a state that is no JSON. */
import { createSlice } from '@reduxjs/toolkit'

const records = createSlice({
  name: 'records',
  initialState: { count: 0, entities: {} },
  reducers: {
    changed(state, { payload }) {
      for (const [what, key, value] of payload) CHANGES[what](state, key, value)
    },
    cleared: () => ({ count: 0, entities: {} }),
    merged: (state, { payload }) => ({ ...state, entities: { ...state.entities, ...payload } }),
  },
})

const CHANGES = {
  put: (state, key, value) => { state.entities[key] = { value, list: [{ value }, {}] } },
  remove: (state, key) => { delete state.entities[key] },
  change: ({ entities }, key, value) => { if (entities[key]) entities[key].value = value },
  unset: ({ entities }, key) => { if (entities[key]) entities[key] = undefined },
  line: ({ entities }, key, value) => { entities[key]?.list.unshift({ value }) },
  lines: ({ entities }, key, value) => { for (const line of entities[key]?.list ?? []) line.value = value },
  copy: ({ entities }, key, value) => { entities[key] = entities[value] },
  wrong: ({ entities }, key, value) => { if (entities[key]) entities[key].list[1] = [{ wrong: [NaN, 1n, new Map()][value] }] },
  missing: ({ entities }, key) => { if (entities[key]) entities[key].list[4] = {} },
  look: (state, key) => { state.count += Object.keys(state.entities[key]?.list ?? []).length },
  throw: () => { throw new Error('boom') },
}

export default records.reducer
