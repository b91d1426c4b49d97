/**
 * How long an action takes to its sender: the embedded server and both topologies on AWS as it is emulated here, in turns, in one
 * run: `node bench/aws/latency.mjs [ROUNDS]`, 50 where nothing is said. Needs cargo, and Python for ministack. The emulator's
 * times are its own: of AWS they tell the hops.
 */
import { startBackend } from '../../tests/e2e/lib/backend.mjs'
import { thinClient } from '../../tests/e2e/lib/thin.mjs'
import { Failure, main, run } from '../../scripts/lib/run.mjs'
import { ministack } from '../../scripts/setup/ministack.mjs'

const KINDS = [
  { name: 'the embedded server, SQLite', hops: 'socket, worker, disk, socket' },
  { name: 'coupled', topology: 'coupled', hops: 'gateway, function, tables, gateway' },
  { name: 'pipeline', topology: 'pipeline', hops: 'gateway, ingest, table, its stream, reduce, tables, their stream, push, gateway' },
]
/** The first find nothing loaded. */
const WARM_UP = 5

await main(async () => {
  const [rounds = 50] = process.argv.slice(2).map(Number)
  if (!(rounds >= 1)) throw new Failure('the argument is a number of rounds')
  await ministack()
  await run('cargo', ['build', '-p', 'twinstore-lambda'])
  await run('cargo', ['build', '-p', 'twinstore', '--features', 'dynamodb'])
  const kinds = []
  try {
    for (const kind of KINDS) kinds.push(await start(kind))
    for (let round = -WARM_UP; round < rounds; round++) for (const kind of kinds) await measure(kind, round)
    console.log(table(kinds))
  } finally {
    for (const { backend, client } of kinds) {
      client.close()
      await backend.close()
    }
  }
})

async function start({ name, topology, hops }) {
  process.env.TWINSTORE_BACKEND = topology ?? ''
  const backend = await startBackend({ models: ['salesOrder'] })
  return { name, hops, backend, client: await thinClient(backend, 'salesOrder/latency'), times: [] }
}

async function measure({ client, times }, round) {
  const before = client.lines.length
  const heard = new Promise(done => client.onLine(lines => lines.length > before && done()))
  const start = performance.now()
  client.send({ type: 'create', payload: { id: `${round}`, customer: 'Ann' } })
  await heard
  if (round >= 0) times.push(performance.now() - start)
}

function table(kinds) {
  const rows = kinds.map(({ name, hops, times }) => {
    const sorted = times.toSorted((one, other) => one - other)
    const at = share => `${sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))].toFixed(1)} ms`
    return `| ${name} | ${hops} | ${at(0.5)} | ${at(0.95)} |`
  })
  return ['| where | hops | half are under | 95 of 100 are under |', '|---|---|---|---|', ...rows].join('\n')
}
