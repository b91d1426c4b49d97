/** References in the store: what is equal keeps its own, whatever the server says. For Redux and Redux Toolkit. */
import { test } from 'node:test'
import { applyMiddleware, combineReducers, legacy_createStore as createStore } from 'redux'
import { assert, canonical, equalsServer, isOnline, isSettled, rig, twinOf, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import ordersReducer, { bumped, closed, created, noted } from './models/orders.mjs'

const server = await startServer()
const order = id => created({ id, customer: 'Ann' })

const STORES = {
  'Redux Toolkit': options => rig({ server, ...options }),
  Redux: options => {
    const made = twinOf({ server, ...options })
    const store = createStore(combineReducers({ orders: made.twin.reducer }), applyMiddleware(made.twin.middleware))
    return { ...made, store, orders: () => store.getState().orders }
  },
}

for (const [name, make] of Object.entries(STORES)) {
  /** A store with three confirmed orders. */
  const begun = async options => {
    const made = make(options)
    await isOnline(made.twin)
    for (const id of ['1', '2', '3']) made.store.dispatch(order(id))
    await isSettled(made.twin, 3)
    return made
  }

  test(`${name}: one's own actions, confirmed in order, one by one and in batches`, async () => {
    const { twin, stream, store, orders } = await begun()
    for (let i = 0; i < 5; i++) {
      for (let k = 0; k <= i; k++) store.dispatch(bumped('1'))
      const shown = orders()
      const changes = changesOf(store, orders)
      await isSettled(twin)
      assert.equal(orders(), shown)
      assert.deepEqual(changes, [])
    }
    await equalsServer(orders(), server, stream)
  })

  test(`${name}: another's event under pending actions`, async () => {
    const { twin, stream, store, orders } = await begun()
    twin.disconnect()
    store.dispatch(bumped('1'))
    const before = orders()
    await server.remote(stream, bumped('2'))
    const changes = changesOf(store, orders)
    twin.connect()
    await isSettled(twin, 5)
    assert.equal(orders().entities[1], before.entities[1], 'the pending action was replayed, to the same')
    assert.equal(orders().entities[3], before.entities[3])
    assert.equal(orders().entities[2].count, 1)
    assert.equal(changes.length, 1, 'one change for the event, none for the confirmation')
    await equalsServer(orders(), server, stream)
  })

  test(`${name}: a rejection in the middle of pending actions`, async () => {
    const { twin, stream, store, orders } = await begun()
    twin.disconnect()
    await server.remote(stream, closed('1'))
    store.dispatch(bumped('2'))
    store.dispatch(bumped('1'))
    store.dispatch(bumped('3'))
    const before = orders()
    twin.connect()
    await isSettled(twin, 7)
    assert.equal(orders().entities[2], before.entities[2])
    assert.equal(orders().entities[3], before.entities[3])
    assert.deepEqual([orders().entities[1].count, orders().entities[1].isClosed], [0, true])
    await equalsServer(orders(), server, stream)
  })

  test(`${name}: the server's state after a divergence, with actions pending on it`, async () => {
    const reducer = (state, action) => {
      const next = ordersReducer(state, action)
      return action.type === noted.type ? { ...next, note: `${next.note} ${Math.random()}` } : next
    }
    const { twin, stream, store, orders } = await begun({ reducer })
    const before = orders()
    const healed = new Promise(resolve => twin.on('diverged', resolve))
    await server.remote(stream, noted('theirs'))
    const { paths } = await healed
    assert.deepEqual(paths, ['/note'])
    assert.equal(orders().note, 'theirs')
    assert.equal(orders().entities, before.entities, 'all of a state that came as text, but for what is another one')
    const shown = orders()
    store.dispatch(bumped('2'))
    await isSettled(twin, 5)
    assert.equal(orders().entities[1], shown.entities[1])
    await until('as the server', async () => canonical(orders()) === canonical(await server.state(stream)), { seen: orders })
  })
}

/** Each new value that the slice takes. */
function changesOf(store, orders) {
  const changes = []
  let last = orders()
  store.subscribe(() => {
    if (orders() !== last) changes.push((last = orders()))
  })
  return changes
}
