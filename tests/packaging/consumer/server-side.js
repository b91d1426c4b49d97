/** As on a server that renders pages: no DOM, no connection. */
import { createTwin, init } from 'twinstore'
import { makeStore, reducer } from './store.js'
// What a bundler without the `node` condition would take.
await import('./node_modules/twinstore/dist/index.js')
await init()
const twin = createTwin({ url: null, stream: 'journal/server-side', reducer })
const store = makeStore(twin)
await twin.ready
store.dispatch({ type: 'journal/add', payload: 'rendered' })
console.log(JSON.stringify({ ...store.getState(), link: twin.status.link }))
