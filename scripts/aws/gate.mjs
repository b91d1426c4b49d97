/** What stands before an emulated gateway: `/sync` leads there, everything else is a file of a folder. It can be taken away. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { extname, join, normalize } from 'node:path'

const TYPES = {
  '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.webmanifest': 'application/manifest+json',
}

/** `to`: the gateway's WebSocket address; `www`: a folder, or none. Open when it resolves. */
export async function startGate({ to, port, www }) {
  const target = new URL(to)
  const sockets = new Set()
  let server

  const answer = (request, response) => {
    const { pathname } = new URL(request.url, 'http://gate')
    try {
      const file = join(www, normalize(pathname === '/' ? '/index.html' : pathname))
      const body = readFileSync(file)
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' }).end(body)
    } catch {
      response.writeHead(404).end()
    }
  }
  /** The request once more, to the gateway's path; from there on bytes. */
  const upgrade = (request, near, head) => {
    const { search } = new URL(request.url, 'http://gate')
    const far = connect(Number(target.port), target.hostname)
    const headers = []
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      const [name, value] = request.rawHeaders.slice(i, i + 2)
      headers.push(`${name}: ${name.toLowerCase() === 'host' ? target.host : value}`)
    }
    far.write(`GET ${target.pathname}${search} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n`)
    if (head.length > 0) far.write(head)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => {
        sockets.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
    near.pipe(far).pipe(near)
  }

  const gate = {
    url: `ws://127.0.0.1:${port}/sync`,
    httpUrl: `http://127.0.0.1:${port}`,
    open: () => new Promise((done, fail) => {
      server = createServer(answer).on('upgrade', upgrade)
      server.once('error', fail)
      server.listen(port, '127.0.0.1', done)
    }),
    close: () => new Promise(done => {
      if (!server?.listening) return done()
      server.close(() => done())
      server.closeAllConnections()
      for (const socket of sockets) socket.destroy()
    }),
  }
  await gate.open()
  return gate
}
