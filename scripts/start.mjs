/** `npm start`: sets up what is missing, builds, starts the server with both models and the demo, says what to try. */
import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { build } from './build.mjs'
import { DEMO, buildDemo } from './build/demo.mjs'
import { SALES_ORDER, WORKOUT, buildModels } from './build/models.mjs'
import { RELEASE, buildServer, serverBinary } from './build/server.mjs'
import { env, root } from './lib/paths.mjs'
import { Failure, main } from './lib/run.mjs'
import { say } from './lib/step.mjs'
import { setup } from './setup.mjs'
import { nodePackages } from './setup/packages.mjs'

const HEALTH_DEADLINE_MS = 30_000

await main(async () => {
  say('The first start takes some minutes, later ones take seconds.')
  await setup()
  // The download of the demo's packages waits for the network, the server for the processor.
  const packages = nodePackages('www')
  packages.catch(() => {})
  await buildServer(RELEASE)
  await packages
  await build()
  await buildModels()
  await buildDemo()
  await serve(process.argv.slice(2))
})

async function serve(extra) {
  const listen = process.env.PORT ? ['--listen', `127.0.0.1:${process.env.PORT}`] : []
  const args = ['serve', '--model', `salesOrder=${SALES_ORDER}`, '--model', `workout=${WORKOUT}`, '--www', DEMO,
    ...(extra.some(arg => arg.startsWith('--listen')) ? [] : listen), ...extra]
  if (await answers(address(args)))
    throw new Failure(`something answers at ${address(args)} already. Stop it, or take another port: PORT=8788 npm start`)
  const server = spawn(serverBinary(RELEASE), args, { cwd: root, env, stdio: 'inherit' })
  const ended = new Promise((done, fail) => {
    server.on('error', fail)
    server.on('exit', (code, signal) =>
      code === 0 || signal ? done() : fail(new Failure(`the server ended with exit code ${code}`)))
  })
  // Ctrl-C reaches the server by itself; it closes in order, and this script ends with it.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => server.kill('SIGTERM'))
  process.on('exit', () => server.kill('SIGTERM'))
  await Promise.race([healthy(address(args)), ended])
  if (server.exitCode === null) console.log(whatToTry(address(args)))
  await ended
}

function address(args) {
  const i = args.findLastIndex(arg => arg.startsWith('--listen'))
  if (i < 0) return '127.0.0.1:8787'
  return args[i].includes('=') ? args[i].slice('--listen='.length) : args[i + 1]
}

async function healthy(address) {
  for (const deadline = Date.now() + HEALTH_DEADLINE_MS; Date.now() < deadline; await pause(50))
    if (await answers(address)) return
  throw new Failure(`the server does not answer at ${address}`)
}

function answers(address) {
  return fetch(`http://${address}/healthz`).then(() => true, () => false)
}

function whatToTry(address) {
  return `
  Twinstore runs: http://${address}

  Try this:
  1. Open http://${address} in two windows, add an order in one: it is in the other.
  2. Take one offline by the switch in its header, change orders, reload it: all is still there. Go online: it is sent.
  3. Stop the server (Ctrl-C) and go on working; the page even reloads without it. Then: ${process.env.PORT ? `PORT=${process.env.PORT} ` : ''}npm start
  4. npx wscat -c 'ws://${address}/sync?stream=salesOrder/demo'
     > {"type":"create","payload":{"id":"1","customer":"Ann"}}
  5. ${serverBinary(RELEASE)} events salesOrder/demo

  Ctrl-C stops it. The data is in twinstore.db.
`
}
