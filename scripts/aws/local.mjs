/** AWS on this machine: ministack with one topology in it. */
import { spawn, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { at, env, targetDir } from '../lib/paths.mjs'
import { MINISTACK, MINISTACK_PYTHON } from '../setup/ministack.mjs'

export const TOPOLOGIES = ['coupled', 'pipeline']
const START_MS = 60_000

/** Where `cargo build -p twinstore-lambda` puts the functions' program. */
export const bootstrap = profile => join(targetDir, profile, 'bootstrap')

/**
 * Starts it on a port. `models`: name and file; `program`: the functions' program. Gives the WebSocket API's
 * `url`, the services' `endpoint`, `output()`, `freeze()`, `thaw()` and `stop()`.
 */
export async function startLocalAws({ topology, models, program, port }) {
  if (!TOPOLOGIES.includes(topology)) throw new Error(`a topology is one of ${TOPOLOGIES.join(', ')}, not ${topology}`)
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-aws-'))
  const log = join(folder, 'ministack.log')
  const file = openSync(log, 'a')
  // A group of its own, so that its functions end with it.
  const child = spawn(MINISTACK, [], {
    cwd: folder, detached: true, stdio: ['ignore', file, file],
    env: { ...env, GATEWAY_PORT: `${port}`, BIND_HOST: '127.0.0.1', HOME: folder },
  })
  const endpoint = `http://127.0.0.1:${port}`
  const output = () => readFileSync(log, 'utf8')
  const signal = name => {
    try {
      process.kill(-child.pid, name)
    } catch {
      // It is gone.
    }
  }
  const stop = () => {
    signal('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    await listening(port, child)
    const zip = pack(folder, program, models)
    const inside = Object.fromEntries(Object.keys(models).map(name => [name, `${name}.js`]))
    const api = deploy({ endpoint, topology, zip, models: inside })
    const url = `ws://127.0.0.1:${port}/_aws/execute-api/${api}/sync`
    return { url, endpoint, output, stop, freeze: () => signal('SIGSTOP'), thaw: () => signal('SIGCONT') }
  } catch (error) {
    const printed = output()
    stop()
    throw new Error(`${error.message}\n${printed.slice(-4_000)}`)
  }
}

/** The program and the models in one zip, as Lambda takes it. */
function pack(folder, program, models) {
  const parts = join(folder, 'code')
  mkdirSync(parts)
  copyFileSync(program, join(parts, 'bootstrap'))
  for (const [name, file] of Object.entries(models)) copyFileSync(at(file), join(parts, `${name}.js`))
  const zip = join(folder, 'code.zip')
  python(['-m', 'zipfile', '-c', zip, 'bootstrap', ...Object.keys(models).map(name => `${name}.js`)], { cwd: parts })
  return zip
}

const deploy = wanted => python([at('scripts/aws/deploy.py')], { input: JSON.stringify(wanted) }).trim()

function python(args, options) {
  const { status, stdout, stderr } = spawnSync(MINISTACK_PYTHON, args, { ...options, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr || `${args.join(' ')}: exit code ${status}`)
  return stdout
}

async function listening(port, child) {
  for (const end = Date.now() + START_MS; Date.now() < end; await pause(100)) {
    if (child.exitCode !== null) throw new Error(`ministack ended with ${child.exitCode}`)
    const socket = connect(port, '127.0.0.1')
    const open = await new Promise(resolve => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)))
    socket.destroy()
    if (open) return
  }
  throw new Error('ministack does not answer')
}
