/** The backend of `backend.mjs` on AWS, as it is emulated here: `TWINSTORE_BACKEND=coupled` or `pipeline`. */
import { spawn } from 'node:child_process'
import WebSocket from 'ws'
import { startGate } from '../../../scripts/aws/gate.mjs'
import { bootstrap, startLocalAws } from '../../../scripts/aws/local.mjs'
import { env, root } from '../../../scripts/lib/paths.mjs'
import { until } from './until.mjs'

export async function startAwsBackend({ topology, models, www, binary, freePort }) {
  const aws = await startLocalAws({ topology, models, program: bootstrap('debug'), port: await freePort() })
  const gate = await startGate({ to: aws.url, port: await freePort(), www })
  const { url } = gate
  const store = `dynamodb:?create=false&endpoint=${aws.endpoint}`
  const flags = Object.entries(models).flatMap(([name, file]) => ['--model', `${name}=${file}`])
  return {
    name: `AWS, ${topology}`,
    url,
    /** For the files of `www`: there is no HTTP beside the socket. */
    httpUrl: www ? gate.httpUrl : null,
    pushesMeet: topology === 'coupled',
    // An emulator keeps all in memory: it is what stands before it that goes and comes.
    takeAway: gate.close,
    bringBack: gate.open,
    freeze: aws.freeze,
    thaw: aws.thaw,
    /** As a thin client on a socket of its own; one after the other. */
    async post(stream, action) {
      const frames = []
      for (const one of [action].flat()) frames.push(await say(url, stream, one))
      return frames
    },
    events: stream => looking({ binary, store, flags, freePort }, async base => {
      const events = []
      for (;;) {
        const page = await json(`${base}/streams/${encodeURIComponent(stream)}/events?after=${events.length}&limit=1000`)
        if (page.events.length === 0) return events
        events.push(...page.events)
      }
    }),
    state: stream => looking({ binary, store, flags, freePort }, async base =>
      (await json(`${base}/streams/${encodeURIComponent(stream)}/state`)).state),
    async close() {
      await gate.close()
      aws.stop()
    },
    output: aws.output,
  }
}

/** Looks at the log by a server over the same tables, which ends afterwards. */
async function looking({ binary, store, flags, freePort }, look) {
  const port = await freePort()
  const child = spawn(binary, ['serve', '--listen', `127.0.0.1:${port}`, '--store', store, ...flags], { cwd: root, env, stdio: 'ignore' })
  const base = `http://127.0.0.1:${port}`
  try {
    await until('a server over the tables answers', async () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
      return (await fetch(`${base}/healthz`)).ok
    })
    return await look(base)
  } finally {
    child.kill('SIGKILL')
  }
}

async function json(url) {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

function say(url, stream, action) {
  const socket = new WebSocket(`${url}?${new URLSearchParams({ stream })}`)
  return new Promise((done, fail) => {
    socket.once('error', fail)
    socket.once('open', () => socket.send(JSON.stringify(action)))
    socket.once('message', data => {
      done(JSON.parse(String(data)))
      socket.terminate()
    })
  })
}
