/** A thin client: a bare WebSocket to one stream that keeps every line it gets. */
import WebSocket from 'ws'
import { until } from './until.mjs'

export async function thinClient({ url }, stream, query = {}) {
  const socket = new WebSocket(`${url}?${new URLSearchParams({ stream, ...query })}`)
  const lines = []
  const listeners = []
  socket.on('message', data => {
    lines.push(String(data))
    for (const listener of listeners) listener(lines)
  })
  await new Promise((done, fail) => {
    socket.once('open', done)
    socket.once('error', fail)
  })
  // A server that is killed is no fault of the client.
  socket.on('error', () => {})
  return {
    lines,
    frames: () => lines.map(line => JSON.parse(line)),
    /** Calls back with all lines at once after each of them, in the very task in which it came; and now. */
    onLine(listener) {
      listeners.push(listener)
      listener(lines)
    },
    send: action => socket.send(typeof action === 'string' ? action : JSON.stringify(action)),
    count: number => until(`${number} lines at the thin client`, () => lines.length >= number, { seen: () => lines }),
    close: () => socket.terminate(),
  }
}
