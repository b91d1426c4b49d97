/** A tiny static server for the test pages: plain files, and packages bundled for an import map. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { build } from 'esbuild'
import { at } from '../../../scripts/lib/paths.mjs'

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm', '.json': 'application/json' }
const FOLDERS = { '/dist/': 'dist', '/pages/': 'tests/e2e/pages', '/models/': 'tests/e2e/models', '/examples/': 'examples' }
const VENDOR = { '/vendor/redux.js': 'redux', '/vendor/toolkit.js': '@reduxjs/toolkit' }

/** `onMark`: called when a page asks for `/mark?…`, with what stands there; how a page tells that it is at a point. */
export async function startSite() {
  const bundles = new Map()
  const site = { onMark: () => {} }
  const server = createServer(async (request, response) => {
    const { pathname: path, search } = new URL(request.url, 'http://site')
    if (path === '/mark') {
      site.onMark(search.slice(1))
      return response.writeHead(204).end()
    }
    try {
      const body = VENDOR[path] ? await bundled(bundles, VENDOR[path]) : readFileSync(fileOf(path))
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream', 'cache-control': 'no-store' })
      response.end(body)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise(done => server.listen(0, '127.0.0.1', done))
  site.url = `http://127.0.0.1:${server.address().port}`
  site.close = () => {
    server.closeAllConnections()
    server.close()
  }
  return site
}

function fileOf(path) {
  const folder = Object.keys(FOLDERS).find(prefix => path.startsWith(prefix))
  return join(at(FOLDERS[folder]), normalize(path.slice(folder.length)))
}

async function bundled(bundles, name) {
  if (!bundles.has(name)) {
    const { outputFiles } = await build({
      stdin: { contents: `export * from '${name}'`, resolveDir: at('.') },
      bundle: true, format: 'esm', write: false, define: { 'process.env.NODE_ENV': '"development"' },
    })
    bundles.set(name, outputFiles[0].contents)
  }
  return bundles.get(name)
}
