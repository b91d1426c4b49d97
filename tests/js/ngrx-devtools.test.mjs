/** NgRx's store DevTools round a twin: whatever a developer does, the next twinned dispatch ends equal to the server. */
// First: it brings the compiler that the packages after it need.
import { added, counted, ngrxRig } from './lib/angular.mjs'
import { StoreDevtools, provideStoreDevtools } from '@ngrx/store-devtools'
import { test } from 'node:test'
import { assert, complaints, equalsServer, isOnline, isSettled } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'

const server = await startServer(['shelf'])

async function rig() {
  const made = await ngrxRig({ server, providers: [provideStoreDevtools({ maxAge: 25, connectInZone: true })] })
  await isOnline(made.twin)
  made.store.dispatch(added({ id: '1' }))
  made.store.dispatch(counted({ id: '1' }))
  made.store.dispatch(counted({ id: '1' }))
  await isSettled(made.twin, 3)
  return { ...made, tools: made.app.injector.get(StoreDevtools), count: () => made.shelf().entities[1]?.count }
}

const DONE = {
  reset: tools => tools.reset(),
  'commit and rollback': tools => (tools.commit(), tools.rollback()),
  'skip of an action': tools => tools.toggleAction(2),
  sweep: tools => (tools.toggleAction(2), tools.sweep()),
}

const THEN = {
  'a dispatch': async ({ twin, store }) => {
    store.dispatch(counted({ id: '1' }))
    await isSettled(twin, 4)
  },
  'a remote event': async ({ twin, stream }) => isSettled(twin, await server.remote(stream, counted({ id: '1' }))),
}

for (const [what, act] of Object.entries(DONE))
  for (const [then, follow] of Object.entries(THEN))
    test(`${what}, then ${then}`, async () => {
      const made = await rig()
      await complaints(async () => {
        act(made.tools)
        await follow(made)
      })
      assert.equal(made.count(), 3)
      await equalsServer(made.shelf(), server, made.stream)
      assert.equal((await server.events(made.stream)).length, 4, 'nothing was sent again')
    })

test('jump and back', async () => {
  const { twin, stream, store, tools, count, shelf } = await rig()
  tools.jumpToState(2)
  const past = count()
  assert.notEqual(past, 2, 'the developer sees the past')
  store.dispatch(counted({ id: '1' }))
  await isSettled(twin, 4)
  let last
  tools.liftedState.subscribe(({ computedStates }) => { last = computedStates.length - 1 }).unsubscribe()
  tools.jumpToState(last)
  assert.equal(count(), 3)
  await equalsServer(shelf(), server, stream)
})

test('locked: what is dispatched is taken and sent; after unlocking the next dispatch shows all', async () => {
  const { twin, stream, store, tools, count, shelf } = await rig()
  await complaints(async () => {
    tools.lockChanges(true)
    store.dispatch(counted({ id: '1' }))
    assert.equal(count(), 2)
    await isSettled(twin, 4)
    tools.lockChanges(false)
    store.dispatch(counted({ id: '1' }))
    await isSettled(twin, 5)
  })
  assert.equal(count(), 4)
  await equalsServer(shelf(), server, stream)
})

const VIEWS = { jump: tools => tools.jumpToState(2), lock: tools => tools.lockChanges(true), pause: tools => tools.pauseRecording(true), ...DONE }

for (const [what, act] of Object.entries(VIEWS))
  test(`after ${what}, dispatches one after the other: no fault of the app, and nothing is complained about`, async () => {
    const { twin, stream, store, tools } = await rig()
    act(tools)
    const heard = await complaints(async () => {
      for (let seq = 4; seq < 9; seq++) {
        store.dispatch(counted({ id: '1' }))
        await isSettled(twin, seq)
      }
      await isSettled(twin, await server.remote(stream, counted({ id: '1' })))
    })
    assert.deepEqual([heard, twin.status.lastError], [[], null])
  })
