/** The package's types, as two kinds of projects resolve them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { at } from '../../scripts/lib/paths.mjs'
import { project } from './lib/install.mjs'

let consumer
before(() => {
  consumer = project('app.ts')
  for (const name of ['redux', '@reduxjs', '@ngrx', '@angular', 'rxjs', 'immer', 'redux-thunk', 'reselect', 'tslib'])
    symlinkSync(at(`node_modules/${name}`), join(consumer.folder, 'node_modules', name))
})
after(() => consumer.remove())

for (const [moduleResolution, module] of [['bundler', 'esnext'], ['node16', 'node16']])
  test(`an app compiles with moduleResolution ${moduleResolution}`, () => {
    assert.equal(compile(module, moduleResolution), '')
  })

test('a mistake in an option does not compile', () => {
  const app = readFileSync(join(consumer.folder, 'app.ts'), 'utf8')
  consumer.write('app.ts', app.replace("stream: 'journal/types'", 'stream: 42'))
  assert.match(compile('esnext', 'bundler'), /TS2322/)
})

function compile(module, moduleResolution) {
  const compilerOptions = { module, moduleResolution, target: 'es2022', lib: ['es2022', 'dom'], types: [], noEmit: true, strict: true,
    exactOptionalPropertyTypes: true, skipLibCheck: true, preserveSymlinks: true }
  consumer.write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['app.ts'] }))
  try {
    return execFileSync(process.execPath, [at('node_modules/typescript/bin/tsc')], { cwd: consumer.folder, encoding: 'utf8' })
  } catch (error) {
    return error.stdout
  }
}
