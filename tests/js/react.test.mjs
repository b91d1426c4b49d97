/** React with a twin: StrictMode, selectors, hydration. */
import { window } from './lib/dom.mjs'
import { test } from 'node:test'
import { StrictMode, act, createElement as h, useState } from 'react'
import { createRoot, hydrateRoot } from 'react-dom/client'
import { renderToString } from 'react-dom/server'
import { Provider, useDispatch, useSelector } from 'react-redux'
import { assert, complaints, equalsServer, isOnline, isSettled, newStream, storeOf, twinOf } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { createTwin } from './lib/twinstore.mjs'
import ordersReducer, { bumped, created } from './models/orders.mjs'

globalThis.IS_REACT_ACT_ENVIRONMENT = true
const server = await startServer()
const container = () => window.document.createElement('div')
const Count = () => h('b', null, useSelector(state => state.orders.entities[1]?.count ?? 'none'))

test('StrictMode makes the store twice on one twin: both follow, each change renders once', async () => {
  const stream = newStream()
  const stores = []
  const renders = { count: 0, other: 0 }
  const Shown = () => {
    renders.count++
    return h(Count)
  }
  const Other = () => {
    renders.other++
    return h('i', null, useSelector(state => state.orders.entities[2]?.customer ?? 'nobody'))
  }
  const App = () => {
    const [store] = useState(() => {
      const { store } = storeOf(createTwin({ url: server.url, stream, reducer: ordersReducer }))
      stores.push(store)
      return store
    })
    return h(Provider, { store }, h(Shown), h(Other))
  }
  const { twin } = twinOf({ url: server.url, stream, reducer: ordersReducer })
  const div = container()
  const root = createRoot(div)
  const heard = await complaints(async () => {
    await act(() => root.render(h(StrictMode, null, h(App))))
    assert.equal(stores.length, 2)
    assert.equal(div.innerHTML, '<b>none</b><i>nobody</i>')
    await isOnline(twin)
    const other = renders.other
    await act(() => twin.confirmed(stores[0].dispatch(created({ id: '1', customer: 'Ann' }))))
    assert.equal(div.innerHTML, '<b>0</b><i>nobody</i>')
    await act(async () => isSettled(twin, await server.remote(stream, bumped('1'))))
    assert.equal(div.innerHTML, '<b>1</b><i>nobody</i>')
    assert.equal(renders.other, other, 'what is not concerned does not render')
    for (const store of stores) await equalsServer(store.getState().orders, server, stream)
    await act(() => root.unmount())
  })
  assert.deepEqual(heard, [])
})

test('a dispatch in an event handler shows at once; a rejection takes it back', async () => {
  const { twin } = twinOf({ server })
  const { store } = storeOf(twin)
  let dispatch
  const Button = () => {
    dispatch = useDispatch()
    return h('u', null, Object.keys(useSelector(state => state.orders.entities)).join())
  }
  const div = container()
  const root = createRoot(div)
  await act(() => root.render(h(Provider, { store }, h(Button))))
  await isOnline(twin)
  server.freeze()
  let action
  act(() => { action = dispatch(created({ id: '1', customer: 'nobody' })) })
  assert.equal(div.innerHTML, '<u>1</u>')
  server.thaw()
  await act(() => twin.confirmed(action).catch(() => {}))
  await act(() => isSettled(twin, 1))
  assert.equal(div.innerHTML, '<u></u>')
  await act(() => root.unmount())
})

test('hydration: with `snapshot` the first render is the server’s', async () => {
  const state = { entities: { 1: { id: '1', customer: 'Ann', count: 3 } } }
  const app = twin => h(Provider, { store: storeOf(twin).store }, h(Count))
  const div = container()
  div.innerHTML = renderToString(app(twinOf({ snapshot: { seq: 3, state } }).twin))
  assert.equal(div.textContent, '3')
  const problems = []
  const heard = await complaints(async () => {
    await act(() => { hydrateRoot(div, app(twinOf({ snapshot: { seq: 3, state } }).twin), { onRecoverableError: error => problems.push(error) }) })
  })
  assert.deepEqual([problems, heard, div.textContent], [[], [], '3'])
})
