/** `npm test`: sets up what the tests need and runs everything, or the parts that are named: `node scripts/test.mjs e2e`. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { buildFunctions, endToEndOn, onDynamoDbLocal } from './aws/tests.mjs'
import { build } from './build.mjs'
import { buildDemo } from './build/demo.mjs'
import { buildModels } from './build/models.mjs'
import { DEV, buildServer, serverBinary } from './build/server.mjs'
import { at, env, root } from './lib/paths.mjs'
import { bundledTests, filesBelow, nodeTests } from './lib/node-tests.mjs'
import { oneByOne } from './lib/one-by-one.mjs'
import { runParts } from './lib/parts.mjs'
import { Failure, main, run } from './lib/run.mjs'
import { browser, findBrowser } from './setup/browser.mjs'
import { CFN_LINT, CFN_PYTHON, cfnLint } from './setup/cfn-lint.mjs'
import { findNode22, node22 } from './setup/node22.mjs'
import { postgres } from './setup/postgres.mjs'
import { dynoxide, wasmPack } from './setup/rust.mjs'
import { setup } from './setup.mjs'

const TEST = /\.test\.(m?js|ts)$/
const locked = process.env.CI ? ['--locked'] : []
const cargo = (...args) => run('cargo', args)

/** What cannot be installed keeps only those parts from running that need it. */
const PARTS = [
  { name: 'setup', run: setup },
  { name: 'browser', run: browser },
  { name: 'postgres', run: postgres },
  { name: 'node22', run: node22 },
  { name: 'wasm-pack', needs: ['setup'], run: wasmPack },
  { name: 'dynoxide', needs: ['setup'], run: dynoxide },
  { name: 'docs', run: () => unitTests('tests/docs') },
  { name: 'fmt', run: () => cargo('fmt', '--all', '--check') },
  { name: 'clippy', run: clippy },
  { name: 'rust', needs: ['postgres'], run: () => cargo('test', '--no-fail-fast', ...locked) },
  { name: 'sim', run: () => cargo('test', '--profile', 'sim', '-p', 'sim', '--features', 'planted', '--no-fail-fast', ...locked) },
  { name: 'templates', run: templates },
  { name: 'aws', needs: ['dynoxide'], run: aws },
  { name: 'wasm', needs: ['wasm-pack', 'browser'], run: wasmTests },
  { name: 'build', needs: ['setup'], run: build },
  { name: 'types', needs: ['build'], run: types },
  { name: 'sizes', needs: ['build'], run: sizes },
  { name: 'models', needs: ['setup'], run: models },
  { name: 'produce', needs: ['setup'], run: () => unitTests('tests/produce') },
  { name: 'server', run: () => buildServer(DEV) },
  { name: 'unit', needs: ['build', 'server'], run: () => unitTests('tests/js', { TWINSTORE_SERVER: serverBinary(DEV) }) },
  { name: 'demo', needs: ['build'], run: buildDemo },
  { name: 'packaging', needs: ['browser', 'node22', 'build', 'server', 'demo'], run: () => endToEnd('tests/packaging') },
  { name: 'e2e', needs: ['browser', 'build', 'server', 'models', 'demo'], run: () => endToEnd('tests/e2e') },
  { name: 'dynamodb', needs: ['setup'], run: () => onDynamoDbLocal(locked) },
  { name: 'functions', needs: ['setup'], run: () => buildFunctions(locked) },
  { name: 'coupled', needs: ['browser', 'functions', 'build', 'models', 'demo'], run: () => endToEndOn('coupled') },
  { name: 'pipeline', needs: ['browser', 'functions', 'build', 'models', 'demo'], run: () => endToEndOn('pipeline') },
]

await main(() => {
  const named = process.argv.slice(2)
  const unknown = named.find(name => !PARTS.some(part => part.name === name))
  if (unknown) throw new Failure(`there is no part ${unknown}; the parts are ${PARTS.map(({ name }) => name).join(', ')}`)
  return runParts(PARTS.filter(({ name }) => named.length === 0 || withNeeds(named).has(name)))
})

/** A part that is named brings what it needs. */
function withNeeds(names) {
  const all = new Set(names)
  for (const name of all) for (const need of PARTS.find(part => part.name === name).needs ?? []) all.add(need)
  return all
}

async function clippy() {
  await cargo('clippy', '--all-targets', ...locked, '--', '-D', 'warnings')
  await cargo('clippy', '-p', 'sim', '--features', 'planted', '--all-targets', ...locked, '--', '-D', 'warnings')
  await cargo('clippy', '-p', 'twinstore-web', '--target', 'wasm32-unknown-unknown', '--all-targets', ...locked, '--', '-D', 'warnings')
}

/** The templates for AWS, by cfn-lint and by what they must say. */
async function templates() {
  await cfnLint()
  await unitTests('tests/aws', { CFN_LINT, CFN_PYTHON })
}

/** What compiles the AWS SDK, which the other parts are spared; against an emulator, or what TWINSTORE_DYNAMODB names. */
async function aws() {
  await cargo('clippy', '-p', 'twinstore-dynamodb', '-p', 'twinstore-lambda', '-p', 'twinstore', '--features', 'twinstore/dynamodb', '--all-targets', ...locked, '--', '-D', 'warnings')
  await cargo('test', '-p', 'twinstore-dynamodb', '-p', 'twinstore-lambda', '--no-fail-fast', ...locked)
}

/** The engine's suite once more, in WASM in Node; then the WASM crate's, in a browser whose flags webdriver.json holds. */
async function wasmTests() {
  checkEngineTests()
  await run('cargo', ['test', '-p', 'twinstore-engine', '--lib', '--tests', '--target', 'wasm32-unknown-unknown', ...locked], {
    env: { CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER: 'wasm-bindgen-test-runner' },
  })
  await cargo('test', '--no-run', '-p', 'twinstore-web', '--target', 'wasm32-unknown-unknown', ...locked)
  await inBrowser()
}

/** What webdriver.json asks for, through a proxy: without it the page sometimes never loads. */
function inBrowser() {
  return oneByOne(async proxy => {
    const capabilities = JSON.parse(readFileSync(at('webdriver.json'), 'utf8'))
    capabilities['goog:chromeOptions'].args.push(`--proxy-server=http://${proxy}`, '--proxy-bypass-list=<-loopback>')
    const file = at('target/webdriver.json')
    mkdirSync(at('target'), { recursive: true })
    writeFileSync(file, JSON.stringify(capabilities))
    await run('wasm-pack', ['test', '--headless', '--chrome', '--mode', 'no-install', '--', '-p', 'twinstore-web'], {
      env: { CHROMEDRIVER: findBrowser().driver, WASM_BINDGEN_TEST_TIMEOUT: '300', WASM_BINDGEN_TEST_WEBDRIVER_JSON: file },
    })
  })
}

/** In WASM a file without this line has no tests at all, and would pass. */
function checkEngineTests() {
  const silent = filesBelow('crates/engine/tests', /tests\/[^/]*\.rs$/)
    .find(file => !readFileSync(at(file), 'utf8').includes('use wasm_bindgen_test::wasm_bindgen_test as test;'))
  if (silent) throw new Failure(`${silent} does not run in WASM: see "How to add a test" in CONTRIBUTING.md`)
}

async function types() {
  await run('tsc', ['-p', 'tsconfig.json'])
  await run('tsc', ['-p', 'examples/workout'])
}

async function sizes() {
  const readme = existsSync(at('README.md')) ? readFileSync(at('README.md'), 'utf8') : ''
  if (!readme.includes('<!-- sizes -->')) throw new Failure('README.md has no place for the sizes: <!-- sizes --><!-- /sizes -->')
  await run(process.execPath, ['scripts/size.mjs'])
}

async function models() {
  await buildModels()
  await unitTests('examples')
}

async function unitTests(folder, env) {
  const files = filesBelow(folder, TEST)
  await nodeTests([...files.filter(file => !file.endsWith('.ts')), ...await bundledTests(files.filter(file => file.endsWith('.ts')))], { env })
}

async function endToEnd(folder) {
  await nodeTests(filesBelow(folder, TEST), {
    concurrency: 1,
    timeoutMs: 600_000,
    env: { CHROMIUM_PATH: findBrowser().chromium, TWINSTORE_SERVER: serverBinary(DEV), NODE22: findNode22() ?? '' },
  })
}
