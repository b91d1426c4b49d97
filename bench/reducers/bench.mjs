/**
 * How many actions a second a Redux Toolkit slice takes on the server, with immer and with `twinstore/produce` in its place:
 * `node bench/reducers/bench.mjs [ORDERS…]`, 1, 1,000 and 10,000 where nothing is said. Needs cargo.
 */
import { build } from 'esbuild'
import { spawnSync } from 'node:child_process'
import { modelOptions } from '../../examples/build.js'
import { at, env } from '../../scripts/lib/paths.mjs'
import { Failure, main, run } from '../../scripts/lib/run.mjs'

const KINDS = [['immer', {}], ['twinstore/produce', { immer: at('js/produce/index.ts') }]]
const BINARY = ['--release', '-p', 'twinstore-server', '--example', 'reducers']

await main(async () => {
  const named = process.argv.slice(2).map(Number)
  const sizes = named.length > 0 ? named : [1, 1_000, 10_000]
  if (!sizes.every(size => size >= 1)) throw new Failure('each argument is a number of orders')
  const models = []
  for (const [name, alias] of KINDS) models.push({ name, file: await bundled(name, alias) })
  await run('cargo', ['build', ...BINARY])
  const rows = sizes.map(orders => [orders, ...models.map(({ file }) => measure(orders, file))])
  console.log(table(rows))
})

async function bundled(name, alias) {
  const outfile = at(`target/bench/${name.replace('/', '-')}.js`)
  await build({ ...modelOptions, entryPoints: [at('bench/reducers/orders.js')], outfile, alias })
  return outfile
}

/** The median of several rounds. */
function measure(orders, file) {
  const { status, stdout, stderr } = spawnSync('cargo', ['run', '--quiet', ...BINARY, '--', `${orders}`, file], { cwd: at('.'), encoding: 'utf8', env })
  if (status !== 0) throw new Failure(stderr)
  return JSON.parse(stdout).median
}

function table(rows) {
  const number = value => value.toLocaleString('en-US')
  return [
    `| orders | ${KINDS.map(([name]) => name).join(' | ')} | |`,
    '|---:|---:|---:|---:|',
    ...rows.map(([orders, immer, ours]) => `| ${number(orders)} | ${number(immer)} | ${number(ours)} | ${(ours / immer).toFixed(1)} × |`),
  ].join('\n')
}
