/** Progress: each step says that it begins, and how long it took; what is unchanged says so and is left out. */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { at, root, stamps } from './paths.mjs'

const began = Date.now()
const seconds = ms => `${(ms / 1000).toFixed(1)} s`
const clock = () => `[${String(Math.floor((Date.now() - began) / 60_000)).padStart(2)}:${String(Math.floor((Date.now() - began) / 1000) % 60).padStart(2, '0')}]`

export const say = line => console.log(`${clock()} ${line}`)

/** Does a piece of work, with a line before it and one after it. */
export async function step(name, work) {
  const start = Date.now()
  say(`▸ ${name}`)
  const result = await work()
  say(`✓ ${name} (${seconds(Date.now() - start)})`)
  return result
}

/**
 * Does a piece of work only where its inputs (files, folders or `=text`) changed or an output is missing.
 * The stamp is written after the work, so that an interrupted one is done again.
 */
export async function unlessUnchanged(name, { inputs, outputs }, work) {
  const stamp = join(stamps, name.replace(/[^\w.-]+/g, '-'))
  const hash = hashOf(inputs)
  const fresh = () => outputs.every(path => existsSync(at(path)))
  if (fresh() && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return say(`· ${name}: unchanged`)
  await step(name, work)
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, hash)
}

/** One hash of the names and contents of files and folders below the checkout; what is missing counts as empty. */
export function hashOf(inputs) {
  const hash = createHash('sha256')
  for (const input of inputs) {
    if (input.startsWith('=')) hash.update(`${input}\0`)
    else for (const file of filesOf(input)) hash.update(`${file}\0`).update(readFileSync(join(root, file))).update('\0')
  }
  return hash.digest('hex')
}

const built = new Set(['node_modules', 'dist', 'target', 'pkg', 'output', '.angular', '.git'])

function filesOf(path) {
  const full = at(path)
  if (!existsSync(full)) return []
  if (!statSync(full).isDirectory()) return [path]
  return readdirSync(full).filter(name => !built.has(name)).sort().flatMap(name => filesOf(`${path}/${name}`))
}
