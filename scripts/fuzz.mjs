/**
 * The long fuzzing run: `node scripts/fuzz.mjs [SECONDS] [TARGET…]`, 300 seconds a target where nothing else is said. Rust targets are
 * guided by coverage where cargo-fuzz is installed (`cargo install cargo-fuzz`; no nightly needed), else fed with chance.
 */
import { bundledTests, filesBelow } from './lib/node-tests.mjs'
import { Failure, main, read, run } from './lib/run.mjs'

const RUST = ['engine', 'frames', 'session']
const BROWSER = ['rows', 'packs', 'wasm']
const BUNDLED = ['produce']
const ALL = [...RUST, ...BROWSER, ...BUNDLED]

await main(async () => {
  const [first, ...rest] = process.argv.slice(2)
  const isTime = Number(first) > 0
  const seconds = isTime ? Number(first) : 300
  const named = isTime ? rest : process.argv.slice(2)
  const unknown = named.find(name => !ALL.includes(name))
  if (unknown) throw new Failure(`there is no target ${unknown}; the targets are ${ALL.join(', ')}`)
  const guided = read('cargo', ['fuzz', '--version']) !== null
  for (const target of named.length > 0 ? named : ALL)
    await (BUNDLED.includes(target) ? bundled : BROWSER.includes(target) ? browser : guided ? coverage : chance)(target, seconds)
})

/** Optimised, with debug assertions. Finds go to crates/fuzz/artifacts, and from there by hand to crates/fuzz/crashers. */
function coverage(target, seconds) {
  return run('cargo', ['fuzz', 'run', '--fuzz-dir', 'crates/fuzz', '--sanitizer', 'none', target, `crates/fuzz/corpus/${target}`,
    '--', `-max_total_time=${seconds}`, '-max_len=2048', '-rss_limit_mb=2048'])
}

function chance(target, seconds) {
  return run('cargo', ['test', '-p', 'twinstore-fuzz', '--test', 'short', target, '--', '--nocapture'],
    { env: { TWINSTORE_FUZZ_SECONDS: `${seconds}`, CARGO_PROFILE_DEV_OPT_LEVEL: '2' } })
}

/** Each of its tests takes that long. Needs a build (`npm run build`). */
function browser(target, seconds) {
  return run(process.execPath, ['--test', '--test-reporter=spec', ...filesBelow('tests/js', new RegExp(`fuzz-${target}\\.test\\.mjs$`))],
    { env: { TWINSTORE_FUZZ_SECONDS: `${seconds}` } })
}

/** Each of its tests takes that long. */
async function bundled(target, seconds) {
  await run(process.execPath, ['--test', '--test-reporter=spec', ...await bundledTests([`tests/${target}/fuzz.test.ts`])],
    { env: { TWINSTORE_FUZZ_SECONDS: `${seconds}` } })
}
