/** Angular applications with an NgRx store in Node: compiled as they start, zoneless unless a test says otherwise. */
import './dom.mjs'
import '@angular/compiler'
import { provideZonelessChangeDetection } from '@angular/core'
import { createApplication } from '@angular/platform-browser'
import { Store, createAction, createReducer, on, props, provideStore } from '@ngrx/store'
import { after } from 'node:test'
import shelf from '../models/shelf.mjs'
import { twinOf } from './rig.mjs'
import { loadNgrx } from './twinstore.mjs'

export const { provideTwin, injectTwinStatus } = await loadNgrx()

export const added = createAction('[Shelf] added', props())
export const counted = createAction('[Shelf] counted', props())
export const failed = createAction('[Shelf] failed')
export const toggled = createAction('[Page] toggled')

/** A slice that is no twin's business, and listens to a twin's action. */
export const page = createReducer({ toggles: 0, added: 0 },
  on(toggled, state => ({ ...state, toggles: state.toggles + 1 })),
  on(added, state => ({ ...state, added: state.added + 1 })))

export const STRICT = {
  strictStateImmutability: true, strictActionImmutability: true, strictStateSerializability: true, strictActionSerializability: true,
}

/** An application; gone when the test file is. */
export const application = (...providers) => applicationWith(provideZonelessChangeDetection(), ...providers)

async function applicationWith(...providers) {
  const app = await createApplication({ providers })
  after(() => app.destroyed || app.destroy())
  return app
}

/** The store of an application, and the state it shows. */
export function watch(app) {
  const store = app.injector.get(Store)
  const seen = []
  store.subscribe(state => seen.push(state))
  return { app, store, seen, state: () => seen.at(-1), shelf: () => seen.at(-1).shelf }
}

/** A twin in an application's store, with every runtime check on. */
export async function ngrxRig({ server, twin: known, options = {}, checks = STRICT, detection = provideZonelessChangeDetection(), providers = [] } = {}) {
  const made = known ?? twinOf({ server, model: 'shelf', reducer: shelf, ...options })
  const app = await applicationWith(detection, provideStore({ shelf: made.twin.reducer, page }, { runtimeChecks: checks }), provideTwin(made.twin), ...providers)
  return { ...made, ...watch(app) }
}
