/** The package's types, as two kinds of projects resolve them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { at } from '../../scripts/lib/paths.mjs'
import { project } from './lib/install.mjs'

let consumer
before(() => {
  consumer = project()
  consumer.write('app.ts', APP)
  for (const name of ['redux', '@reduxjs', '@ngrx', '@angular', 'rxjs', 'immer', 'redux-thunk', 'reselect', 'tslib'])
    symlinkSync(at(`node_modules/${name}`), join(consumer.folder, 'node_modules', name))
})
after(() => consumer.remove())

for (const [moduleResolution, module] of [['bundler', 'esnext'], ['node16', 'node16']])
  test(`an app compiles with moduleResolution ${moduleResolution}`, () => {
    assert.equal(compile(module, moduleResolution), '')
  })

test('a mistake in an option does not compile', () => {
  consumer.write('app.ts', APP.replace("stream: 'journal/types'", 'stream: 42'))
  assert.match(compile('esnext', 'bundler'), /TS2322/)
})

function compile(module, moduleResolution) {
  try {
    return execFileSync(process.execPath, [at('node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--exactOptionalPropertyTypes',
      '--target', 'es2022', '--lib', 'es2022,dom', '--types', '', '--skipLibCheck', '--module', module,
      '--moduleResolution', moduleResolution, 'app.ts'], { cwd: consumer.folder, encoding: 'utf8' })
  } catch (error) {
    return error.stdout
  }
}

const APP = `
import { configureStore } from '@reduxjs/toolkit'
import { applyMiddleware, createStore } from 'redux'
import { createTwin, init, isTwinError } from 'twinstore'
import { provideTwin } from 'twinstore/ngrx'

interface State { list: string[] }
type Add = { type: 'journal/add'; payload: string }
const reducer = (state: State = { list: [] }, action: Add): State =>
  action.type === 'journal/add' ? { list: [...state.list, action.payload] } : state

await init()
const twin = createTwin({
  url: null, stream: 'journal/types', reducer,
  validate: state => (state.list.length > 9 ? 'full' : undefined),
})
const store = configureStore({ reducer: { journal: twin.reducer }, middleware: all => all().concat(twin.middleware) })
const list: string[] = store.getState().journal.list
const plain = createStore(twin.reducer, applyMiddleware(twin.middleware))
const seq: number = await twin.confirmed(plain.dispatch({ type: 'journal/add', payload: list.join() }))
const providers = [provideTwin(twin)]
twin.on('rejected', ({ reason }) => isTwinError(new Error(reason + seq + providers.length)))
`
