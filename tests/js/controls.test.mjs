/** The twin in the app's hands: what becomes of an action, the outbox, the status, the link. Without a disk. */
import { test } from 'node:test'
import { assert, equalsServer, isOnline, isSettled, newStream, rejectionOf, rig, settle, storeOf, twinError, twinOf, until } from './lib/rig.mjs'
import { startServer } from './lib/server.mjs'
import { createTwin } from './lib/twinstore.mjs'
import ordersReducer, { bumped, created, noted } from './models/orders.mjs'

const server = await startServer()
const order = (id, customer = 'Ann') => created({ id, customer })

test('bad options are refused with a sentence that names them', () => {
  const good = { url: null, stream: newStream(), reducer: ordersReducer }
  const BAD = [
    [undefined, /options/], [null, /options/], ['text', /options/],
    [{ ...good, url: undefined }, /`url`/], [{ ...good, url: 5 }, /`url`/],
    [{ ...good, stream: undefined }, /`stream`/], [{ ...good, stream: 5 }, /`stream`/], [{ ...good, stream: 'no model' }, /`stream`/],
    [{ ...good, stream: '' }, /`stream`/], [{ ...good, stream: `orders/${'x'.repeat(2000)}` }, /`stream`/],
    [{ ...good, reducer: undefined }, /`reducer`/], [{ ...good, reducer: {} }, /`reducer`/],
    [{ ...good, validate: 'yes' }, /`validate`/], [{ ...good, sync: 5 }, /`sync`/], [{ ...good, sync: {} }, /`sync`/],
  ]
  for (const [options, names] of BAD)
    assert.throws(() => createTwin(options), twinError('bad-option', ({ message }) => assert.match(message, names)), JSON.stringify(options)?.slice(0, 80))
})

test('what `confirmed` and `durable` take: what dispatch gave, or what was dispatched; nothing else', async () => {
  const { twin, store } = rig({ server })
  const given = order('1')
  const stamped = store.dispatch(given)
  assert.deepEqual(await Promise.all([twin.confirmed(given), twin.confirmed(stamped)]), [1, 1])
  assert.equal(await twin.confirmed(stamped), 1, 'and again, later')
  const passed = store.dispatch({ type: 'ui/toggled' })
  for (const other of [passed, { ...stamped }, {}, null, undefined, 5, 'text'])
    for (const ask of ['confirmed', 'durable'])
      twinError('not-twinned')(await rejectionOf(twin[ask](other)))
})

test('durable, where there is no disk, says so; the action is sent all the same', async () => {
  const { twin, store } = rig({ server })
  await twin.ready
  assert.equal(twin.status.storage, 'memory')
  const action = store.dispatch(order('1'))
  twinError('not-durable', ({ message }) => assert.match(message, /memory/))(await rejectionOf(twin.durable(action)))
  assert.equal(await twin.confirmed(action), 1)
})

test('nobody needs to listen: a rejection is not an unhandled one', async () => {
  const { twin, store } = rig({ server })
  const unhandled = []
  const hear = reason => unhandled.push(reason)
  process.on('unhandledRejection', hear)
  store.dispatch(order('1', 'nobody'))
  store.dispatch(order('2'))
  await isSettled(twin, 2)
  await settle()
  process.off('unhandledRejection', hear)
  assert.deepEqual(unhandled, [])
})

test('drop: what was never sent goes, is taken from the state, and is told; those behind it stay and arrive', async () => {
  const { twin, stream, store, orders } = rig({ server })
  await isOnline(twin)
  await twin.confirmed(store.dispatch(order('1')))
  twin.disconnect()
  const [gone, kept] = [store.dispatch(order('2')), store.dispatch(bumped('1'))]
  twin.drop(twin.pending()[0].id)
  assert.deepEqual(Object.keys(orders().entities), ['1'])
  assert.equal(orders().entities[1].count, 1)
  assert.equal(twin.status.pending, 1)
  twinError('dropped')(await rejectionOf(twin.confirmed(gone)))
  twin.connect()
  assert.equal(await twin.confirmed(kept), 2)
  assert.deepEqual((await server.events(stream)).map(({ n, from }) => [n, from ?? n]), [[1, 1], [3, 2]])
  await equalsServer(orders(), server, stream)
})

test('drop of what is on its way, or unknown', async () => {
  const { twin, store } = rig({ server })
  await isOnline(twin)
  server.freeze()
  const sent = store.dispatch(order('1'))
  await until('it is sent', () => twin.pending()[0]?.state === 'sent')
  assert.throws(() => twin.drop(twin.pending()[0].id), twinError('already-sent'))
  twin.disconnect()
  assert.throws(() => twin.drop(twin.pending()[0].id), twinError('already-sent'), 'nor while the link is down: the server may have it')
  server.thaw()
  twin.connect()
  assert.equal(await twin.confirmed(sent), 1)
  for (const id of ['', 'x', 'x:1', 'x:y', `${sent.meta.twin.client}:1`, `${sent.meta.twin.client}:99`, ':'])
    assert.throws(() => twin.drop(id), twinError('not-pending'), id)
})

test('retry is for held actions alone', async () => {
  const { twin, store } = rig()
  store.dispatch(order('1'))
  assert.throws(() => twin.retry(twin.pending()[0].id), twinError('not-pending'))
  assert.throws(() => twin.retry('nonsense'), twinError('not-pending'))
  assert.equal(twin.status.pending, 1)
})

test('held: what the server will not take is kept, told, neither shown nor sent, and blocks nothing; retry and drop are for it', async () => {
  const { twin, stream, store, orders } = rig({ server, limits: { actionBytes: 200_000 } })
  await isOnline(twin)
  const held = []
  twin.on('held', notice => held.push(notice))
  await twin.confirmed(store.dispatch(order('1')))
  const large = store.dispatch(noted('x'.repeat(100_000)))
  const behind = store.dispatch(bumped('1'))
  assert.equal(await twin.confirmed(behind), 2)
  await until('it is held', () => twin.status.held === 1)
  assert.deepEqual([orders().note, twin.status.pending], [undefined, 0])
  assert.deepEqual(held, [{ reason: 'too-large', action: large }])
  const [{ action, ...row }] = twin.pending()
  assert.deepEqual(row, { id: `${large.meta.twin.client}:2`, client: large.meta.twin.client, n: 2, state: 'held', reason: 'too-large' })
  assert.equal(action, large)

  twin.disconnect()
  twin.retry(row.id)
  const [again] = twin.pending()
  assert.deepEqual([again.n, again.state, again.action.meta.twin.retryOf, twin.pending().length], [4, 'queued', 2, 1])
  assert.equal(again.action.payload, large.payload)
  assert.notEqual(again.action.meta.twin.id, large.meta.twin.id)
  assert.equal(orders().note, large.payload, 'shown again, as any pending action')
  twin.connect()
  await until('it is held again', () => twin.status.held === 1)
  twin.drop(twin.pending()[0].id)
  assert.deepEqual([twin.status.held, twin.pending()], [0, []])
  await twin.confirmed(store.dispatch(bumped('1')))
  await equalsServer(orders(), server, stream)
})

test('pending lists client, n, action and progress; rows are plain and new', async () => {
  const { twin, store } = rig({ server })
  assert.deepEqual(twin.pending(), [])
  await isOnline(twin)
  server.freeze()
  const first = store.dispatch(order('1'))
  const second = store.dispatch(bumped('1'))
  const { client } = first.meta.twin
  await until('the first is sent', () => twin.pending()[0].state === 'sent')
  assert.deepEqual(twin.pending().map(({ action, ...row }) => [action === first || action === second, row]), [
    [true, { id: `${client}:1`, client, n: 1, state: 'sent' }],
    [true, { id: `${client}:2`, client, n: 2, state: 'queued' }],
  ])
  server.thaw()
  await isSettled(twin, 2)
  assert.deepEqual(twin.pending(), [])
})

test('status is one object until something changes, and says what is', async () => {
  const before = Date.now()
  const { twin, stream, store } = rig({ server })
  const first = twin.status
  assert.equal(twin.status, first)
  assert.deepEqual(Object.keys(first).sort(), ['cursor', 'head', 'held', 'lastError', 'link', 'oldest', 'outdated', 'pending', 'role', 'schema', 'since', 'storage', 'unreadable'])
  await isOnline(twin)
  const online = twin.status
  assert.notEqual(online, first)
  assert.equal(twin.status, online)
  assert.deepEqual(online, { link: 'online', pending: 0, held: 0, head: 0, cursor: 0, storage: 'memory', role: 'alone', outdated: false, schema: 1, oldest: null, unreadable: 0, since: online.since, lastError: null })
  assert.ok(online.since >= before && online.since <= Date.now())
  const copy = { ...online }
  await twin.confirmed(store.dispatch(order('1')))
  assert.deepEqual(online, copy, 'what was given is not changed')
  assert.deepEqual([twin.status.head, twin.status.cursor, twin.status.pending, twin.status.since], [1, 1, 0, online.since])
  await server.remote(stream, bumped('1'))
  await isSettled(twin, 2)
  twin.disconnect()
  assert.equal(twin.status.link, 'offline')
  assert.ok(twin.status.since >= online.since)
})

test('subscribe: told after each change, with the status in place; the same listener twice; stops when told', async () => {
  const { twin, store } = rig()
  await twin.ready
  await settle()
  const seen = []
  const listener = () => seen.push(twin.status.pending)
  const stop = twin.subscribe(listener)
  const stopSecond = twin.subscribe(listener)
  store.dispatch(order('1'))
  assert.deepEqual(seen, [1, 1])
  stop()
  store.dispatch(bumped('1'))
  assert.deepEqual(seen, [1, 1, 2])
  stop()
  store.dispatch(bumped('1'))
  assert.deepEqual(seen, [1, 1, 2, 3], 'stopping twice takes no other away')
  stopSecond()
  store.dispatch(bumped('1'))
  assert.equal(seen.length, 4)
  store.dispatch({ type: 'ui/toggled' })
})

test('on: confirmed and rejected, with seq and action; a listener that throws disturbs nobody', async () => {
  const { twin, store } = rig({ server })
  const told = []
  const { error } = console
  console.error = () => {}
  const stops = [
    twin.on('confirmed', () => { throw new Error('a listener broke') }),
    twin.on('confirmed', notice => told.push(['confirmed', notice])),
    twin.on('rejected', notice => told.push(['rejected', notice])),
    twin.on('status', status => assert.equal(status, twin.status)),
  ]
  const [good, bad] = [store.dispatch(order('1')), store.dispatch(order('2', 'nobody'))]
  await isSettled(twin, 2)
  console.error = error
  assert.deepEqual(told, [
    ['confirmed', { seq: 1, action: good }],
    ['rejected', { seq: 2, code: 'invalid', reason: 'nobody orders nothing', action: bad }],
  ])
  for (const stop of stops) stop()
  await twin.confirmed(store.dispatch(order('3')))
  assert.equal(told.length, 2)
})

test('a listener may dispatch, also from within the notice of a rejection', async () => {
  const { twin, stream, store, orders } = rig({ server })
  twin.on('rejected', ({ action }) => { store.dispatch(order(action.payload.id, 'Ann instead')) })
  store.dispatch(order('1', 'nobody'))
  await isSettled(twin, 2)
  assert.equal(orders().entities[1].customer, 'Ann instead')
  await equalsServer(orders(), server, stream)
})

test('flush: resolves at once when all is done, else with the last verdict; not while offline', async () => {
  const { twin, store } = rig({ server })
  await twin.flush()
  await isOnline(twin)
  for (let i = 0; i < 20; i++) store.dispatch(order(`${i}`))
  await twin.flush()
  assert.equal(twin.status.pending, 0)
  twin.disconnect()
  store.dispatch(bumped('1'))
  let flushed = false
  const flush = twin.flush().then(() => { flushed = true })
  await settle(20)
  assert.equal(flushed, false)
  twin.connect()
  await flush
  assert.equal(twin.status.pending, 0)
})

test('disconnect is offline until connect, and wakes by nothing else; connect twice is one link', async () => {
  const { twin, stream, store, orders } = rig({ server })
  await isOnline(twin)
  twin.disconnect()
  twin.disconnect()
  store.dispatch(order('1'))
  globalThis.dispatchEvent?.(new Event('online'))
  await settle(20)
  assert.deepEqual([twin.status.link, (await server.events(stream)).length], ['offline', 0])
  twin.connect()
  twin.connect()
  await isSettled(twin, 1)
  await equalsServer(orders(), server, stream)
})

test('the link may be taken away and given back within one task', async () => {
  const { twin, stream, store, orders } = rig({ server })
  await isOnline(twin)
  for (let i = 0; i < 10; i++) {
    twin.disconnect()
    store.dispatch(order(`${i}`))
    twin.connect()
  }
  await isSettled(twin, 10)
  assert.deepEqual((await server.events(stream)).map(event => event.n), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  await equalsServer(orders(), server, stream)
})

test('two twins of one address share a socket: closing one leaves the other online', async () => {
  const [one, two] = [rig({ server }), rig({ server })]
  await Promise.all([isOnline(one.twin), isOnline(two.twin)])
  one.twin.close()
  assert.equal(await two.twin.confirmed(two.store.dispatch(order('1'))), 1)
  assert.equal(two.twin.status.link, 'online')
  await equalsServer(two.orders(), server, two.stream)
})

test('close: waiting promises are told, dispatches pass on untwinned, the link ends, again does no harm', async () => {
  const { twin, store, below } = rig()
  const waiting = store.dispatch(order('1'))
  twin.close()
  twin.close()
  twinError('closed')(await rejectionOf(twin.confirmed(waiting)))
  assert.equal(twin.status.link, 'offline')
  const late = order('2')
  assert.equal(store.dispatch(late), late)
  assert.equal(below.at(-1), created.type)
  assert.throws(() => twin.drop(twin.pending()[0].id), twinError('closed'))
  twin.connect()
  assert.equal(twin.status.link, 'offline')
  twinError('not-twinned')(await rejectionOf(twin.confirmed(late)))
  twinError('closed')(await rejectionOf(twin.ready))
})

test('a name that is known gives the same twin, with the new reducer; another name, user or stream another', () => {
  const options = { url: null, stream: newStream(), reducer: ordersReducer }
  const { twin } = twinOf(options)
  const { store, orders } = storeOf(twin)
  store.dispatch(order('1'))
  const newer = (state = { entities: {} }, action) => (action.type === noted.type ? { ...state, note: `new: ${action.payload}` } : ordersReducer(state, action))
  const again = createTwin({ ...options, reducer: newer })
  assert.equal(again, twin)
  store.dispatch(noted('x'))
  assert.equal(orders().note, 'new: x')
  for (const other of [{ name: 'other' }, { user: 'ann' }, { stream: newStream() }]) assert.notEqual(twinOf({ ...options, ...other }).twin, twin)
})

test('closed, then made anew: another twin, which begins with the server’s state', async () => {
  const { twin, stream, store } = rig({ server })
  await twin.confirmed(store.dispatch(order('1')))
  twin.close()
  const anew = rig({ server, stream })
  assert.notEqual(anew.twin, twin)
  await isSettled(anew.twin, 1)
  await anew.twin.confirmed(anew.store.dispatch(bumped('1')))
  assert.equal(anew.orders().entities[1].count, 1)
  await equalsServer(anew.orders(), server, stream)
})

test('the token is asked for at each connect, also by a promise; one that fails is said, and tried again', async () => {
  let asked = 0
  const { twin } = rig({ server, token: async () => `token ${++asked}` })
  await isOnline(twin)
  assert.equal(asked, 1)
  twin.disconnect()
  twin.connect()
  await isOnline(twin)
  assert.equal(asked, 2)
  let fail = true
  const failing = rig({ server, token: () => { if (fail) throw new Error('no login'); return 'token' } })
  await until('the failure is said', () => failing.twin.status.lastError?.code === 'token')
  fail = false
  await isOnline(failing.twin)
})

test('an address that is none is said; the app works on offline', async () => {
  const { twin, store, orders } = rig({ url: 'nonsense' })
  store.dispatch(order('1'))
  await until('it is said', () => twin.status.lastError?.code === 'bad-url')
  assert.equal(orders().entities[1].customer, 'Ann')
  assert.equal(twin.status.pending, 1)
})

test('the initial state that a reducer throws for is the caller’s error', () => {
  assert.throws(() => twinOf({ reducer: () => { throw new RangeError('no beginning') } }), RangeError)
})

test('the twin is no thenable and has a name', async () => {
  const { twin, stream } = twinOf()
  assert.equal(await twin, twin)
  assert.equal(twin.name, stream)
  assert.equal(twinOf({ name: 'mine' }).twin.name, 'mine')
  assert.equal(twin.middleware, twin.middleware)
  assert.equal(twin.reducer, twin.reducer)
})

test('two names on one stream in one page are two outboxes: each action arrives once', async () => {
  const one = rig({ server })
  const two = rig({ server, stream: one.stream, name: 'second' })
  await Promise.all([isOnline(one.twin), isOnline(two.twin)])
  const actions = [one.store.dispatch(order('1')), two.store.dispatch(order('2')), one.store.dispatch(noted('x')), two.store.dispatch(noted('y'))]
  const seqs = await Promise.all(actions.map((action, i) => [one, two][i % 2].twin.confirmed(action)))
  assert.deepEqual(seqs.sort(), [1, 2, 3, 4])
  await Promise.all([isSettled(one.twin, 4), isSettled(two.twin, 4)])
  assert.deepEqual(one.orders(), two.orders())
  await equalsServer(one.orders(), server, one.stream)
})
