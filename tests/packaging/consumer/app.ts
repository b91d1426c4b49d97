/** An app in TypeScript, with Redux, Redux Toolkit and NgRx. */
import { configureStore } from '@reduxjs/toolkit'
import { applyMiddleware, createStore } from 'redux'
import { createTwin, init, isTwinError } from 'twinstore'
import { provideTwin } from 'twinstore/ngrx'
import { produce } from 'twinstore/produce'

interface State { list: string[] }
type Add = { type: 'journal/add'; payload: string }
const reducer = (state: State = { list: [] }, action: Add): State =>
  action.type === 'journal/add' ? produce(state, draft => void draft.list.push(action.payload)) : state

await init()
const twin = createTwin({
  url: null, stream: 'journal/types', reducer,
  validate: state => (state.list.length > 9 ? 'full' : undefined),
})
const store = configureStore({ reducer: { journal: twin.reducer }, middleware: all => all().concat(twin.middleware) })
const list: string[] = store.getState().journal.list
const plain = createStore(twin.reducer, applyMiddleware(twin.middleware))
const seq: number = await twin.confirmed(plain.dispatch({ type: 'journal/add', payload: list.join() }))
const providers = [provideTwin(twin)]
twin.on('rejected', ({ reason }) => isTwinError(new Error(reason + seq + providers.length)))
