/** `open`: a twin goes to another stream, another user or none, without a reload; what waited there and here stays. */
import 'fake-indexeddb/auto'
import { test } from 'node:test'
import { assert, complaints, equalsServer, isOnline, isSettled, newStream, rejectionOf, rig, storeOf, twinError, twinOf, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { createTwin } from './lib/twinstore.mjs'
import { bumped, created } from './models/orders.mjs'

const server = await startServer(['orders'])
const order = id => created({ id, customer: 'Ann' })
const ids = ({ orders }) => Object.keys(orders().entities)
let names = 0
/** A twin that is not open, and its store. */
const unopened = (options = {}) => rig({ name: `app-${++names}`, stream: undefined, ...options })

test('without a stream: the initial state; a twinned dispatch throws `not-open`, all else passes', async () => {
  const { twin, store, orders, below } = unopened()
  await twin.ready
  assert.deepEqual([twin.stream, twin.user, twin.status.link, twin.status.pending], [undefined, undefined, 'offline', 0])
  assert.throws(() => store.dispatch(order('1')), twinError('not-open', error => assert.match(error.message, /open\(/)))
  store.dispatch({ type: 'ui/toggled' })
  assert.equal(store.getState().ui.toggles, 1)
  assert.deepEqual([orders().entities, below.filter(type => type === 'orders/created')], [{}, []])
  await twin.open({ stream: newStream() })
  store.dispatch(order('1'))
  assert.deepEqual(ids({ orders }), ['1'])
})

test('a stream, then another: the slice goes to what is stored there by one rebase, and back again', async () => {
  const [first, second] = [newStream(), newStream()]
  const app = unopened({ stream: first })
  const { twin, store, rebases } = app
  await twin.ready
  await twin.durable(store.dispatch(order('1')))
  await twin.open({ stream: second })
  assert.deepEqual([twin.stream, ids(app), twin.status.pending], [second, [], 0])
  await twin.durable(store.dispatch(order('2')))
  const before = rebases()
  await twin.open({ stream: first })
  assert.deepEqual([ids(app), twin.status.pending, rebases() - before], [['1'], 1, 1])
  await twin.open({ stream: second })
  assert.deepEqual([ids(app), rebases() - before], [['2'], 2])
  const { action } = twin.pending()[0]
  assert.equal(action.payload.id, '2')
})

test('another login: neither sees nor sends what the other left; each is sent when its user is back', async () => {
  const stream = newStream()
  const said = []
  const app = unopened({ server, stream, user: 'ann', token: () => (said.push(twin.user), 'a token') })
  const { twin, store } = app
  await isOnline(twin)
  twin.disconnect()
  const anns = store.dispatch(order('ann’s'))
  await twin.durable(anns)
  const verdict = twin.confirmed(anns)
  const opened = twin.open({ user: 'bob' })
  assert.equal((await rejectionOf(verdict)).code, 'closed')
  await opened
  assert.deepEqual([twin.stream, twin.user, ids(app), twin.status.link], [stream, 'bob', [], 'offline'])
  twin.connect()
  await twin.confirmed(store.dispatch(order('bob’s')))
  assert.deepEqual(await server.types(stream), ['orders/created'])
  await twin.open({ user: 'ann' })
  await isSettled(twin, 2)
  assert.deepEqual(ids(app).sort(), ['ann’s', 'bob’s'])
  await equalsServer(app.orders(), server, stream)
  assert.deepEqual(said, ['ann', 'bob', 'ann'])
})

test('`null`: to no stream, at logout; the data of the user before is not in the store any more', async () => {
  const app = unopened({ stream: newStream() })
  const { twin, store } = app
  await twin.ready
  store.dispatch(order('1'))
  await twin.open(null)
  assert.deepEqual([ids(app), twin.stream, twin.pending()], [[], undefined, []])
  assert.throws(() => store.dispatch(order('2')), twinError('not-open'))
})

test('to where it is: nothing happens', async () => {
  const stream = newStream()
  const app = unopened({ stream })
  await app.twin.ready
  await app.twin.durable(app.store.dispatch(order('1')))
  await app.twin.open({ stream, user: '' })
  assert.deepEqual([ids(app), app.rebases()], [['1'], 0])
})

test('what is dispatched before the stored state is back lies on it', async () => {
  const stream = newStream()
  const app = unopened({ stream })
  await app.twin.ready
  await app.twin.durable(app.store.dispatch(order('1')))
  await app.twin.open(null)
  const opened = app.twin.open({ stream })
  app.store.dispatch(bumped('1'))
  app.store.dispatch(order('2'))
  await opened
  assert.deepEqual(ids(app), ['1', '2'])
  assert.deepEqual(app.twin.pending().map(({ action }) => action.type), ['orders/created', 'orders/created', 'orders/bumped'])
})

test('one after the other at once: the last one counts, the promises of those before reject with `closed`', async () => {
  const [first, second, third] = [newStream(), newStream(), newStream()]
  const app = unopened()
  const opening = [first, second, third].map(stream => app.twin.open({ stream }))
  assert.deepEqual(await Promise.all(opening.slice(0, 2).map(async promise => (await rejectionOf(promise)).code)), ['closed', 'closed'])
  await opening[2]
  assert.equal(app.twin.stream, third)
  app.store.dispatch(order('1'))
  assert.deepEqual(ids(app), ['1'])
})

test('a listener that hears of the end opens another place: that one counts', async () => {
  const [first, second, third] = [newStream(), newStream(), newStream()]
  const { twin } = unopened({ server, stream: first })
  await isOnline(twin)
  let opened
  const off = twin.on('status', ({ link }) => {
    if (link === 'online') return
    off()
    opened = twin.open({ stream: third })
  })
  await twin.open({ stream: second })
  await opened
  assert.equal(twin.stream, third)
  assert.equal((await isOnline(twin), twin.status.link), 'online', 'and is told')
})

test('after `close` and after `forget` it opens again', async () => {
  const stream = newStream()
  const app = unopened({ stream })
  await app.twin.ready
  await app.twin.durable(app.store.dispatch(order('1')))
  app.twin.close()
  await app.twin.open({})
  assert.deepEqual(ids(app), ['1'])
  await app.twin.forget()
  await app.twin.open({})
  assert.deepEqual([ids(app), app.twin.status.pending], [[], 0])
})

test('every store that shows it goes along, and the wiring is not complained of', async () => {
  const app = unopened()
  const other = storeOf(app.twin)
  const heard = await complaints(async () => {
    await app.twin.open({ stream: newStream() })
    for (const [i, store] of [app.store, other.store, app.store, other.store].entries()) store.dispatch(order(`${i}`))
    await app.twin.open({ stream: newStream() })
    other.store.dispatch(order('9'))
  })
  assert.deepEqual([heard, ids(app), ids(other)], [[], ['9'], ['9']])
})

test('what listeners were told goes on; the status is that of the new stream', async () => {
  const app = unopened({ server, token: () => app.twin.user === 'ann' ? 'ann’s token' : Promise.reject(new Error('nobody’s')) })
  const heard = []
  app.twin.on('confirmed', ({ seq }) => heard.push([app.twin.stream, seq]))
  const streams = [newStream(), newStream()]
  await app.twin.open({ stream: streams[0] })
  await until('the missing token is said', () => app.twin.status.lastError?.code === 'token')
  for (const stream of streams) {
    await app.twin.open({ user: 'ann', stream })
    assert.equal(app.twin.status.lastError, null)
    await app.twin.confirmed(app.store.dispatch(order('1')))
  }
  await isSettled(app.twin, 1)
  assert.deepEqual(heard, streams.map(stream => [stream, 1]))
  assert.equal(app.twin.status.cursor, 1)
})

test('a stream that was left tells nothing more: that its database failed is nobody’s matter', async () => {
  const { open } = indexedDB
  // The first stream's opens later than that one is left.
  indexedDB.open = () => {
    indexedDB.open = open
    throw new DOMException('', 'SecurityError')
  }
  const { twin } = unopened({ stream: newStream() })
  const heard = []
  twin.on('storage', notice => heard.push(notice))
  await twin.open({ stream: newStream() })
  assert.equal(indexedDB.open, open)
  assert.deepEqual([heard, twin.status.storage, twin.status.lastError], [[], 'indexedDB', null])
})

test('closed by a subscriber, in the midst of a dispatch or of a rebase: the listeners hear of it', async () => {
  for (const remote of [false, true]) {
    const stream = newStream()
    const { twin, store } = unopened({ server, stream })
    await isOnline(twin)
    const links = []
    twin.subscribe(() => links.push(twin.status.link))
    store.subscribe(() => twin.close())
    if (remote) await server.remote(stream, order('1'))
    else store.dispatch(order('1'))
    await until('it is closed', () => links.at(-1) === 'offline', { seen: () => links })
  }
})

test('createTwin again, for hot reload: the same twin, where it is', async () => {
  const name = `app-${++names}`
  const { twin } = twinOf({ name, stream: undefined })
  const stream = newStream()
  await twin.open({ stream })
  const again = createTwin({ url: null, name, reducer: (state = { entities: {}, ids: [] }) => state })
  assert.equal(again, twin)
  assert.equal(again.stream, stream)
})

test('two twins are never one for what their names look like', async () => {
  const stream = newStream()
  const name = `app-${++names}`
  const opened = twinOf({ name, stream })
  // As the opened one's name, user and stream stand side by side.
  const other = unopened({ name: `${name}//${encodeURIComponent(stream)}` })
  assert.notEqual(other.twin, opened.twin)
  await Promise.all([opened.twin.ready, other.twin.ready])
  assert.deepEqual([opened.twin.stream, other.twin.stream], [stream, undefined])
})

test('bad input is refused, and changes nothing', async () => {
  assert.throws(() => createTwin({ url: null, reducer: state => state ?? {} }), twinError('bad-option', error => assert.match(error.message, /`name`/)))
  const stream = newStream()
  const app = unopened({ stream })
  await app.twin.ready
  for (const to of [{ stream: 'nothing' }, { user: 7 }, { stream: 7 }]) assert.throws(() => app.twin.open(to), twinError('bad-option'))
  app.store.dispatch(order('1'))
  assert.deepEqual([app.twin.stream, ids(app)], [stream, ['1']])
  const none = unopened()
  assert.throws(() => none.twin.open({ user: 'ann' }), twinError('bad-option', error => assert.match(error.message, /`stream`/)))
})
