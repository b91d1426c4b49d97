/**
 * The documents are true: the README's blocks run, its model serves, its table has every code, every link leads somewhere.
 *
 * A block marked `<!-- run -->` is run as it stands, against a real server in place of the address it names.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { at } from '../../scripts/lib/paths.mjs'
import { MODELS, startBackend } from '../e2e/lib/backend.mjs'

const DOCUMENTS = ['README.md', 'ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'docs/PROTOCOL.md']
const ADDRESS = 'wss://api.example.com/sync'
const STREAM = 'salesOrder/acme'
/** Named, and made by a build. */
const built = /^(dist|pkg|target)\/|\/dist\//
/** Inside the checkout, so that `import 'twinstore'` finds the built package by its own name. */
const folder = at('target/readme')
const readme = readFileSync(at('README.md'), 'utf8')

/** The code blocks behind a mark, in order. */
const marked = mark => [...readme.matchAll(new RegExp(`<!-- ${mark} -->\\n\`\`\`\\w+\\n([\\s\\S]*?)\\n\`\`\``, 'g'))].map(([, code]) => code)

/** What the README's `./app.js` stands for: the app's own reducers. */
const APP = `
export { default as ordersReducer, validate } from '../../examples/sales-order/reducer.js'
export const orderCreated = payload => ({ type: 'create', payload })
export const uiReducer = (state = { open: false }) => state
`
/** Before a block: Node 20 has no WebSocket. Behind it: what became of it, as the last line. */
const BEGIN = `import WebSocket from 'ws'
globalThis.WebSocket ??= WebSocket
`
const END = `
const result = { seq: await orders.confirmed(action), state: store.getState() }
orders.close()
console.log('\\n' + JSON.stringify(result))
`

let backend
before(async () => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'app.js'), APP)
  writeFileSync(join(folder, 'model.js'), `${marked('model')[0]}\n`)
  backend = await startBackend({ models: ['salesOrder'] })
})
after(() => backend.close())

test('the blocks run, and end where the server is', async () => {
  const blocks = marked('run')
  assert.equal(blocks.length, 2)
  for (const [i, block] of blocks.entries()) {
    assert.ok(block.includes(ADDRESS))
    const file = join(folder, `block-${i + 1}.mjs`)
    writeFileSync(file, BEGIN + block.replace(ADDRESS, backend.url) + END)
    const { stdout } = await promisify(execFile)(process.execPath, [file], { timeout: 30_000 })
    const { seq, state } = JSON.parse(stdout.trim().split('\n').at(-1))
    assert.equal(seq, i + 1, stdout)
    assert.deepEqual(state.orders ?? state, await backend.state(STREAM))
  }
})

test('the model is one that the server takes', async () => {
  MODELS.readme = 'target/readme/model.js'
  const own = await startBackend({ models: ['readme'] })
  try {
    const answer = await fetch(`${own.httpUrl}/streams/readme%2Fdemo/actions`, {
      method: 'POST', body: JSON.stringify({ type: 'journal/add', payload: 'Monday' }),
    })
    assert.deepEqual(await answer.json(), [{ seq: 1, key: '0', record: 'Monday' }])
  } finally {
    await own.close()
  }
})

test('the thin transcript is what the end-to-end test asserts', () => {
  const asserted = readFileSync(at('tests/e2e/thin-transcript.test.mjs'), 'utf8')
  const lines = [...readme.matchAll(/^[<>] (\{.*\})$/gm)].map(([, line]) => line)
  assert.equal(lines.length, 4)
  for (const line of lines) assert.ok(asserted.includes(`'${line}'`), line)
})

test('the table of errors has every code, and no other', () => {
  const rows = [...readme.matchAll(/^\| (`[a-z-]+`(?:, `[a-z-]+`)*) \| .* \| .* \|$/gm)]
  const said = new Set(rows.flatMap(([, codes]) => codes.match(/[a-z-]+/g)))
  const thrown = codesInTheSource()
  assert.deepEqual([...thrown].filter(code => !said.has(code)), [], 'in the source, not in the README')
  const source = everySource()
  assert.deepEqual([...said].filter(code => !source.includes(`'${code}'`) && !source.includes(`"${code}"`) && !source.includes(`${code}:`)), [], 'in the README only')
})

test('the type TwinErrorCode has every code that is thrown, and the table has every one of these', () => {
  const [, union] = /export type TwinErrorCode =([\s\S]*?)\n\n/.exec(readFileSync(at('js/types.ts'), 'utf8'))
  const typed = new Set(union.match(/[a-z]+(?:-[a-z]+)*/g))
  assert.deepEqual([...codesInTheSource()].filter(code => !typed.has(code)), [], 'thrown, but not in the type')
  assert.deepEqual([...typed].filter(code => !readme.includes(`\`${code}\``)), [], 'in the type, but not in the README')
})

test('the type HeldReason has every reason of the engine', () => {
  const [, union] = /export type HeldReason =(.*)\n/.exec(readFileSync(at('js/types.ts'), 'utf8'))
  const engine = readFileSync(at('crates/engine/src/stored.rs'), 'utf8').matchAll(/Self::\w+ => "([a-z-]+)"/g)
  assert.deepEqual(union.match(/[a-z]+(?:-[a-z]+)*/g).sort(), [...engine].map(([, reason]) => reason).sort())
})

test('every link leads somewhere', () => {
  for (const document of DOCUMENTS) {
    const text = readFileSync(at(document), 'utf8')
    for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const [path, anchor] = target.split('#')
      const file = path ? join(dirname(document), path) : document
      assert.ok(existsSync(at(file)), `${document}: ${target}`)
      if (anchor) assert.ok(anchorsOf(file).includes(anchor), `${document}: ${target}`)
    }
  }
})

test('every file that a document names in code is there', () => {
  const named = DOCUMENTS.flatMap(document =>
    [...readFileSync(at(document), 'utf8').matchAll(/`((?:src|js|crates|scripts|tests|examples|www|docs)\/[\w./-]*\w\.\w+)`/g)]
      .map(([, path]) => ({ document, path })))
  assert.deepEqual(named.filter(({ path }) => !built.test(path) && !existsSync(at(path))), [])
})

/** Codes of TwinErrors as they are made; a code that is passed on as a variable is listed where it comes from. */
function codesInTheSource() {
  const made = everySource().matchAll(/(?:twinError|twin_error|error)\(\s*['"]([a-z]+(?:-[a-z]+)*)['"]/g)
  return new Set([...made].map(([, code]) => code))
}

function everySource() {
  const below = folder => readdirSync(at(folder), { withFileTypes: true })
    .flatMap(entry => (entry.isDirectory() ? below(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]))
  // Where codes are listed says nothing of where they come from.
  return [...below('src'), ...below('js')].filter(file => file !== 'js/types.ts').map(file => readFileSync(at(file), 'utf8')).join('\n')
}

const anchorsOf = file =>
  [...readFileSync(at(file), 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'))
