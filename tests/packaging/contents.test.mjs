/** The tarball holds what it must, and nothing else. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { at } from '../../scripts/lib/paths.mjs'

const MUST = ['package.json', 'README.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'dist/index.js', 'dist/index.d.ts', 'dist/node.js',
  'dist/twinstore_bg.wasm', 'dist/ngrx.js', 'dist/ngrx.d.ts', 'dist/produce.js',
  'dist/produce/index.d.ts']
const MAY = /^(dist\/(produce\/)?[\w-]+\.(js|d\.ts|wasm)|README\.md|CHANGELOG\.md|LICENSE-\w+|package\.json)$/

test('npm pack --dry-run lists what it must', () => {
  const listed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: at('.'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const [{ files }] = JSON.parse(listed)
  const paths = files.map(({ path }) => path)
  for (const path of MUST) assert.ok(paths.includes(path), `${path} is missing in ${paths.join(', ')}`)
  assert.deepEqual(paths.filter(path => !MAY.test(path)), [], 'nothing that was not meant')
})

test('every module that a declaration names is there, and every declaration is one that an app can come to', () => {
  const listed = readdirSync(at('dist'), { recursive: true }).filter(file => file.endsWith('.d.ts'))
  const named = listed.flatMap(file => [...readFileSync(at('dist', file), 'utf8').matchAll(/(?:from|import\()\s*['"]([^'"]+)['"]/g)].map(([, path]) => ({ file, path })))
  const own = named.filter(({ path }) => path.startsWith('.')).map(({ file, path }) => join(dirname(file), path.replace(/\.js$/, '.d.ts')))
  assert.deepEqual([...new Set(own), 'index.d.ts', 'ngrx.d.ts', 'produce/index.d.ts'].sort(), listed.sort())
  const { peerDependencies } = JSON.parse(readFileSync(at('package.json'), 'utf8'))
  for (const { file, path } of named.filter(({ path }) => !path.startsWith('.')))
    assert.ok(path === 'twinstore' || path in peerDependencies, `${file} names ${path}`)
})

test('every file that the exports name is there', () => {
  const { exports } = JSON.parse(readFileSync(at('package.json'), 'utf8'))
  const paths = value => (typeof value === 'string' ? [value] : Object.values(value).flatMap(paths))
  for (const path of paths(exports)) assert.ok(readFileSync(at(path)).length > 0, path)
})

test('no lock file and no npm setting names a registry', () => {
  for (const file of ['package-lock.json', 'www/package-lock.json', '.npmrc'])
    assert.doesNotMatch(readFileSync(at(file), 'utf8'), /"resolved"|registry\s*=/, file)
})
