/** Redux DevTools: whatever a developer does to the history, the next dispatch or remote event ends equal to the server. */
import { test } from 'node:test'
import { combineReducers, configureStore } from '@reduxjs/toolkit'
import { ActionCreators, instrument } from '@redux-devtools/instrument'
import { PATIENT, assert, complaints, equalsServer, isOnline, isSettled, twinOf, ui } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { bumped, created } from './models/orders.mjs'

const server = await startServer()

/** A store under DevTools, with an order that was bumped twice; all confirmed. */
async function rig(options = {}) {
  const { twin, stream, calls } = twinOf({ server })
  let lifted
  const keep = create => (...args) => {
    const store = create(...args)
    lifted = store.liftedStore
    return store
  }
  const store = configureStore({
    reducer: { orders: twin.reducer, ui: ui.reducer }, devTools: false, middleware: all => all(PATIENT).concat(twin.middleware),
    enhancers: defaults => defaults().concat(keep, instrument(undefined, options)),
  })
  await isOnline(twin)
  store.dispatch(created({ id: '1', customer: 'Ann' }))
  store.dispatch(bumped('1'))
  await twin.confirmed(store.dispatch(bumped('1')))
  let seq = 3
  return {
    twin, stream, store, lifted, calls,
    count: () => store.getState().orders.entities[1]?.count,
    mine: () => (seq++, twin.confirmed(store.dispatch(bumped('1')))),
    theirs: async () => {
      seq = await server.remote(stream, bumped('1'))
      await isSettled(twin, seq)
    },
    isRight: async () => {
      await isSettled(twin, seq)
      await equalsServer(store.getState().orders, server, stream)
    },
  }
}

const THEN = { 'a dispatch': tools => tools.mine(), 'a remote event': tools => tools.theirs() }
const DONE = {
  reset: ({ lifted, count }) => {
    lifted.dispatch(ActionCreators.reset())
    assert.equal(count(), undefined)
  },
  'commit and rollback': ({ lifted, store, count }) => {
    lifted.dispatch(ActionCreators.commit())
    store.dispatch(ui.actions.toggled())
    lifted.dispatch(ActionCreators.rollback())
    assert.equal(count(), 2)
    assert.equal(store.getState().ui.toggles, 0)
  },
  'skip of an action': ({ lifted, count }) => {
    lifted.dispatch(ActionCreators.toggleAction(2))
    assert.equal(count(), 1)
  },
  'import of its own history': ({ lifted, count }) => {
    const text = JSON.parse(JSON.stringify(lifted.getState()))
    lifted.dispatch(ActionCreators.importState({ ...text, computedStates: [] }))
    assert.ok(count() === undefined || count() >= 0)
  },
  'sweep after a skip': ({ lifted }) => {
    lifted.dispatch(ActionCreators.toggleAction(2))
    lifted.dispatch(ActionCreators.sweep())
  },
}

for (const [what, act] of Object.entries(DONE))
  for (const [then, follow] of Object.entries(THEN))
    test(`${what}, then ${then}`, async () => {
      const tools = await rig()
      await complaints(async () => {
        act(tools)
        await follow(tools)
        await tools.isRight()
        assert.equal(tools.count(), 3)
        tools.store.dispatch(ui.actions.toggled())
        await tools.mine()
        await tools.theirs()
        await tools.isRight()
      })
      assert.equal(tools.count(), 5)
      assert.equal((await server.events(tools.stream)).length, 6, 'nothing was sent again')
    })

const forward = ({ lifted }) => lifted.dispatch(ActionCreators.jumpToState(lifted.getState().computedStates.length - 1))

for (const [then, follow] of Object.entries(THEN))
  test(`jump, then ${then}: the developer’s view stays in the past until the jump forward`, async () => {
    const tools = await rig()
    tools.lifted.dispatch(ActionCreators.jumpToState(1))
    assert.equal(tools.count(), 0)
    await complaints(() => follow(tools))
    assert.equal(tools.count(), 0)
    forward(tools)
    assert.equal(tools.count(), 3)
    await tools.isRight()
    await tools.mine()
    await tools.theirs()
    await tools.isRight()
    assert.equal(tools.count(), 5)
  })

const VIEWS = {
  jump: ({ lifted }) => lifted.dispatch(ActionCreators.jumpToState(1)),
  lock: ({ lifted }) => lifted.dispatch(ActionCreators.lockChanges(true)),
  pause: ({ lifted }) => lifted.dispatch(ActionCreators.pauseRecording(true)),
  'jump and pause': tools => (VIEWS.jump(tools), VIEWS.pause(tools)),
  ...DONE,
}

for (const [what, act] of Object.entries(VIEWS))
  test(`after ${what}, dispatches one after the other: no fault of the app, and nothing is complained about`, async () => {
    const tools = await rig()
    act(tools)
    const heard = await complaints(async () => {
      for (let i = 0; i < 5; i++) await tools.mine()
      await tools.theirs()
      await tools.mine()
    })
    assert.deepEqual([heard, tools.twin.status.lastError], [[], null])
  })

test('jump back and forward again: the history holds what was', async () => {
  const tools = await rig()
  await tools.theirs()
  assert.equal(tools.count(), 3)
  tools.lifted.dispatch(ActionCreators.jumpToState(2))
  assert.equal(tools.count(), 1)
  forward(tools)
  assert.equal(tools.count(), 3)
  await tools.isRight()
})

test('recomputing the whole history gives the same states: the reducer is pure', async () => {
  const tools = await rig()
  await tools.theirs()
  await tools.mine()
  const before = tools.lifted.getState().computedStates.map(({ state }) => JSON.stringify(state.orders))
  tools.store.replaceReducer(combineReducers({ orders: tools.twin.reducer, ui: ui.reducer }))
  const after = tools.lifted.getState().computedStates.map(({ state, error }) => (assert.equal(error, undefined), JSON.stringify(state.orders)))
  assert.deepEqual(after, before)
  await tools.mine()
  await tools.isRight()
})

test('locked: what is dispatched is taken and sent; after unlocking the next dispatch shows all', async () => {
  const tools = await rig()
  await complaints(async () => {
    tools.lifted.dispatch(ActionCreators.lockChanges(true))
    await tools.mine()
    assert.equal(tools.count(), 2)
    await tools.theirs()
    assert.equal(tools.count(), 2)
    tools.lifted.dispatch(ActionCreators.lockChanges(false))
    await tools.mine()
    await tools.isRight()
  })
  assert.equal(tools.count(), 5)
})

test('paused: the app goes on', async () => {
  const tools = await rig()
  tools.lifted.dispatch(ActionCreators.pauseRecording(true))
  await tools.mine()
  await tools.theirs()
  assert.equal(tools.count(), 4)
  tools.lifted.dispatch(ActionCreators.pauseRecording(false))
  await tools.mine()
  await tools.isRight()
})

test('a history of five: old actions are committed away, the state stays right', async () => {
  const tools = await rig({ maxAge: 5 })
  for (let i = 0; i < 12; i++) await (i % 4 === 3 ? tools.theirs() : tools.mine())
  await tools.isRight()
  assert.equal(tools.count(), 14)
  assert.ok(tools.lifted.getState().stagedActionIds.length <= 5)
})

test('the dispatch box goes past the middleware: ignored by the twin, not sent', async () => {
  const tools = await rig()
  tools.lifted.dispatch(ActionCreators.performAction(bumped('1')))
  assert.equal(tools.count(), 2)
  assert.equal(tools.twin.status.pending, 0)
  await tools.mine()
  await tools.isRight()
})
