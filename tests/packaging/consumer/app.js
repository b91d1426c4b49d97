/** `node app.js URL STREAM [MODULE]`: one action to the server; the module's default export is the WebSocket. */
import { createTwin, init } from 'twinstore'
import { makeStore, reducer } from './store.js'
const [url, stream, ws] = process.argv.slice(2)
if (ws) globalThis.WebSocket = (await import(ws)).default
await init()
const twin = createTwin({ url, stream, reducer })
const store = makeStore(twin)
await twin.ready
const seq = await twin.confirmed(store.dispatch({ type: 'journal/add', payload: 'from Node' }))
console.log(JSON.stringify({ seq, state: store.getState() }))
twin.close()
