/** NgRx with zone.js: what comes from the socket is emitted inside Angular's zone, so that pages follow and strict checks hold. */
import 'zone.js'
import { NgZone, provideZoneChangeDetection } from '@angular/core'
import { test } from 'node:test'
import { STRICT, added, counted, ngrxRig } from './lib/angular.mjs'
import { assert, complaints, equalsServer, isOnline, isSettled } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'

const server = await startServer(['shelf'])

for (const routing of ['optimistic', 'server'])
  test(`events from the socket are emitted in the zone, under strictActionWithinNgZone: ${routing}`, async () => {
    const { app, twin, stream, store, shelf } = await ngrxRig({
      server, options: { routing }, checks: { ...STRICT, strictActionWithinNgZone: true }, detection: provideZoneChangeDetection(),
    })
    const zone = app.injector.get(NgZone)
    const inZone = []
    store.subscribe(() => inZone.push(NgZone.isInAngularZone()))
    inZone.length = 0
    const heard = await complaints(async () => {
      await isOnline(twin)
      zone.run(() => store.dispatch(added({ id: '1' })))
      await isSettled(twin, 1)
      await server.remote(stream, counted({ id: '1' }))
      await isSettled(twin, 2)
    })
    assert.deepEqual(heard, [])
    assert.equal(shelf().entities[1].count, 1)
    assert.ok(inZone.length >= 2 && inZone.every(Boolean), `${inZone}`)
  })
