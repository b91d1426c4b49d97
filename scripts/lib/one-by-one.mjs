/**
 * A proxy that passes on one request at a time, each over a connection of its own, and asks again where nothing comes.
 *
 * The server of `wasm-bindgen-test-runner` (tiny_http 0.12) starts with four threads, one a connection. Of two that come
 * together while a single thread is idle, the second waits for a connection to end, and Chromium keeps all of them: with
 * as many modules as ours have, a page now and then loads for ever.
 */
import { createServer, request } from 'node:http'

/** It reads small files of this machine. */
const ANSWER_MS_MAX = 3_000
const TRIES_MAX = 5

/** Calls `body` with the proxy's address, `HOST:PORT`, and stops it afterwards. */
export async function oneByOne(body) {
  let last = Promise.resolve()
  const proxy = createServer((asked, answer) => {
    // What the browser wants of the world by itself has no place in the queue.
    if (new URL(asked.url).hostname !== '127.0.0.1') return answer.writeHead(403).end()
    last = last.then(() => passOn(asked, answer))
  })
  await new Promise(done => proxy.listen(0, '127.0.0.1', done))
  try {
    return await body(`127.0.0.1:${proxy.address().port}`)
  } finally {
    proxy.closeAllConnections()
    proxy.close()
  }
}

/** A page and its modules are asked for without a body, so asking again changes nothing. */
async function passOn(asked, answer) {
  for (let tries = 0; tries < TRIES_MAX; tries++)
    if (await answered(asked, answer)) return
  answer.destroy()
}

/** Whether there was an answer; resolves when the connection onwards is closed. */
function answered({ method, url, headers }, answer) {
  return new Promise(done => {
    const onward = request(url, { agent: false, method, headers: { ...headers, connection: 'close' }, timeout: ANSWER_MS_MAX })
    onward.on('response', given => {
      answer.writeHead(given.statusCode, given.headers)
      given.pipe(answer)
    })
    onward.on('timeout', () => onward.destroy())
    onward.on('error', () => {})
    onward.on('close', () => done(answer.headersSent))
    onward.end()
  })
}
