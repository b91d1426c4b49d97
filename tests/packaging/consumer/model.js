/** A model with Redux Toolkit, as it is bundled for the server. */
import { createSlice, original } from '@reduxjs/toolkit'

const journal = createSlice({
  name: 'journal',
  initialState: { list: [{ text: 'first' }] },
  reducers: {
    added(state, { payload }) {
      if (original(state).list.length < 3) state.list.push({ text: payload })
    },
  },
})

export default journal.reducer
