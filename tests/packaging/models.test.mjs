/** A model is bundled with `twinstore/produce` in immer's place, as the README says. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { after, before, test } from 'node:test'
import { at } from '../../scripts/lib/paths.mjs'
import { project } from './lib/install.mjs'

const IMMER = 'minified error nr'

let consumer
before(() => {
  consumer = project('model.js')
  for (const name of ['@reduxjs', 'immer', 'redux', 'redux-thunk', 'reselect'])
    symlinkSync(at(`node_modules/${name}`), join(consumer.folder, 'node_modules', name))
})
after(() => consumer.remove())

test('the README\'s line bundles a model that reduces, without immer', async () => {
  const words = readmeLine()
  bundle(words)
  assert.ok(!readFileSync(join(consumer.folder, 'reducer.js'), 'utf8').includes(IMMER))
  const { default: reduce } = await import(pathToFileURL(join(consumer.folder, 'reducer.js')))
  const first = reduce(undefined, { type: 'init' })
  const next = reduce(first, { type: 'journal/added', payload: 'second' })
  assert.deepEqual(next, { list: [{ text: 'first' }, { text: 'second' }] })
  assert.equal(next.list[0], first.list[0])
  assert.ok(Object.isFrozen(next.list))
})

test('without the alias immer is in it', () => {
  bundle(readmeLine().filter(word => !word.startsWith('--alias')))
  assert.ok(readFileSync(join(consumer.folder, 'reducer.js'), 'utf8').includes(IMMER))
})

/** Its arguments, for a model of this project. */
function readmeLine() {
  const [, line] = readFileSync(at('README.md'), 'utf8').replaceAll('\\\n', ' ').match(/npx esbuild (src\/reducer\.ts .*)/)
  return line.trim().split(/\s+/).map(word => word.replaceAll("'", '').replace('src/reducer.ts', 'model.js'))
}

function bundle(words) {
  // Links are kept, so that the app's own packages find each other here.
  execFileSync(at('node_modules/.bin/esbuild'), [...words, '--preserve-symlinks', '--log-level=warning'], { cwd: consumer.folder, stdio: 'pipe' })
}
