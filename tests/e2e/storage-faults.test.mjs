/**
 * Storage that is missing, full, taken away or damaged, in real Chromium: what was dispatched is kept in the next home,
 * shown again after a reload where there is one, and is in the log once; the app is told.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { chromium } from 'playwright-core'
import { findBrowser } from '../../scripts/setup/browser.mjs'
import { NOWHERE } from './lib/backend.mjs'
import { FLAGS, openApp } from './lib/browser.mjs'
import { deleteDatabases, inDatabase, putRows, readDatabase } from './lib/database.mjs'
import { newFolder, removeFolder, stage } from './lib/stage.mjs'
import { until } from './lib/until.mjs'

let backend, site, browser
stage({ browsers: 1 }, parts => ({ backend, site, browser } = parts))

const texts = (who, count = 20) => Array.from({ length: count }, (_, i) => `${who} ${i}`)
/** Random, since the database packs what repeats itself. */
const large = text => `${text} ${randomBytes(22_500).toString('base64')}`
const say = (app, all) => app.x((app, all) => void all.forEach(payload => app.store.dispatch({ type: 'journal/add', payload })), all)
const durable = app => app.x(app => Promise.all(app.twin.pending().map(({ action }) => app.twin.durable(action))).then(() => true))
const notices = (app, name) => app.x((app, name) => app.notices.filter(notice => notice.name === name), name)

/** A profile of its own; `broken` runs in each of its pages before the app. `open(away)`: with a server, or without. */
async function world(stream, broken, profile) {
  profile ??= await browser.newContext()
  if (broken) await profile.addInitScript(broken)
  const open = (away = false) => openApp(profile, site, { backend: away ? NOWHERE : backend, model: 'journal', stream })
  return { profile, open }
}

/** In the log: these, each once and in this order; and the page shows them. */
async function logHolds(app, stream, said) {
  await app.settled()
  const list = (await backend.events(stream)).map(event => event.action.payload)
  assert.deepEqual(list, said)
  await app.shows({ list })
  assert.deepEqual(app.errors, [])
}

const withoutIndexedDb = () => void delete Object.getPrototypeOf(globalThis).indexedDB ?? delete globalThis.indexedDB
const unopenable = () => void (IDBFactory.prototype.open = () => {
  throw new DOMException('', 'SecurityError')
})
const withoutLocalStorage = () => Object.defineProperty(globalThis, 'localStorage', { get() {
  throw new DOMException('', 'SecurityError')
} })

for (const [what, broken] of [['is missing', withoutIndexedDb], ['cannot be opened', unopenable]])
  test(`IndexedDB ${what}: localStorage keeps the outbox over reloads, and it is sent once`, async () => {
    const stream = `journal/local-${what.length}`
    const { open } = await world(stream, broken)
    const app = await open(true)
    assert.equal((await app.status()).storage, 'localStorage')
    await say(app, texts('kept'))
    assert.ok(await durable(app))
    for (let loads = 0; loads < 2; loads++) {
      await app.reload()
      assert.deepEqual((await app.state()).list, texts('kept'))
      assert.equal((await app.status()).pending, 20)
    }
    await app.page.close()
    const online = await open()
    await say(online, ['new'])
    await logHolds(online, stream, [...texts('kept'), 'new'])
    // Offline again: what was confirmed is there, and nothing is pending.
    const again = await open(true)
    assert.deepEqual((await again.state()).list, [...texts('kept'), 'new'])
    assert.equal((await again.status()).pending, 0)
  })

test('neither IndexedDB nor localStorage: in memory, which the app is told, and sent all the same', async () => {
  const stream = 'journal/memory'
  const { profile, open } = await world(stream, unopenable)
  await profile.addInitScript(withoutLocalStorage)
  const app = await open()
  assert.equal((await app.status()).storage, 'memory')
  assert.deepEqual((await notices(app, 'storage')).map(({ storage, reason }) => [storage, reason]), [['memory', 'SecurityError']])
  const code = await app.x(app => app.twin.durable(app.store.dispatch({ type: 'journal/add', payload: 'fleeting' })).catch(error => error.code))
  assert.equal(code, 'not-durable')
  await logHolds(app, stream, ['fleeting'])
})

test('the database is deleted under the open twin: opened anew, and all of the outbox with it', async () => {
  const stream = 'journal/deleted'
  const { open } = await world(stream)
  const app = await open(true)
  await say(app, texts('before'))
  await durable(app)
  await deleteDatabases(app)
  await say(app, texts('meanwhile'))
  await until('it is opened anew', async () => (await app.status()).storage === 'indexedDB')
  assert.deepEqual((await notices(app, 'storage')).map(({ storage }) => storage), ['indexedDB'])
  await say(app, texts('after'))
  await durable(app)
  await app.page.close()
  const online = await open()
  const said = [...texts('before'), ...texts('meanwhile'), ...texts('after')]
  await logHolds(online, stream, said)
  await deleteDatabases(online)
  await until('it is opened anew', async () => (await online.status()).storage === 'indexedDB')
  await until('the state is stored again', async () => (await readDatabase(online)).log?.cursor?.seq === said.length)
  const again = await open(true)
  assert.deepEqual((await again.state()).list, said)
})

test('the handle is lost again and again: opened anew three times, then localStorage; dropped actions stay dropped', async () => {
  const stream = 'journal/handle'
  const { open } = await world(stream, () => {
    const { transaction } = IDBDatabase.prototype
    globalThis.failures = 0
    IDBDatabase.prototype.transaction = function (...args) {
      if (globalThis.failures > 0 && globalThis.failures--) throw new DOMException('the connection is lost', 'InvalidStateError')
      return transaction.apply(this, args)
    }
  })
  const app = await open(true)
  const said = []
  for (let loss = 1; loss <= 4; loss++) {
    await say(app, texts(`loss ${loss}`, 5))
    await durable(app)
    await app.x(app => {
      globalThis.failures = 1
      // The very transaction that fails takes one out.
      app.twin.drop(app.twin.pending().at(-1).id)
    })
    said.push(...texts(`loss ${loss}`, 4))
    await until('the app is told', async () => (await notices(app, 'storage')).length === loss)
    await until('it has a home again', async () => (await app.status()).storage !== 'opening')
  }
  const homes = (await notices(app, 'storage')).map(({ storage }) => storage)
  assert.deepEqual(homes, ['indexedDB', 'indexedDB', 'indexedDB', 'localStorage'])
  await durable(app)
  assert.deepEqual((await app.state()).list, said)
  await app.page.close()
  const online = await open()
  await online.settled()
  const list = (await backend.events(stream)).map(event => event.action.payload)
  // Three of the dropped were taken out in IndexedDB; it was not to be had for the fourth.
  assert.deepEqual(list.filter(text => text !== 'loss 4 4'), said)
})

test('the disk is full: localStorage takes the outbox over; that is full too: memory does', async t => {
  const stream = 'journal/full'
  // In a profile that is not on disk there are no quotas.
  const folder = newFolder()
  const profile = await chromium.launchPersistentContext(folder, { executablePath: findBrowser().chromium, args: FLAGS })
  t.after(async () => {
    await profile.close()
    removeFolder(folder)
  })
  const { open } = await world(stream, undefined, profile)
  const cdp = await profile.newCDPSession(await profile.newPage())
  // Chromium looks again only where what it remembers to be left would not do.
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: site.url, quotaSize: 300_000 })
  const app = await open(true)
  await say(app, texts('before'))
  await durable(app)
  const full = texts('full').map(large)
  await say(app, full)
  await until('localStorage is the home', async () => (await app.status()).storage === 'localStorage')
  assert.deepEqual((await notices(app, 'storage')).map(({ storage, reason }) => [storage, reason]), [['localStorage', 'QuotaExceededError']])
  await durable(app)
  await app.reload()
  assert.deepEqual((await app.state()).list, [...texts('before'), ...full])
  const more = texts('more', 10).map(large)
  await say(app, more)
  await until('localStorage is the home', async () => (await app.status()).storage === 'localStorage')
  await app.x(() => {
    for (let size = 1 << 22; size >= 1; size >>= 1) {
      try {
        for (let i = 0; ; i++) localStorage.setItem(`filler ${size} ${i}`, 'x'.repeat(size))
      } catch {}
    }
  })
  await say(app, ['in memory'])
  await until('memory is the home', async () => (await app.status()).storage === 'memory')
  const said = [...texts('before'), ...full, ...more, 'in memory']
  assert.deepEqual((await app.state()).list, said)
  await app.x(() => Object.keys(localStorage).filter(key => key.startsWith('filler')).forEach(key => localStorage.removeItem(key)))
  await cdp.send('Storage.overrideQuotaForOrigin', { origin: site.url })
  await app.reload()
  assert.deepEqual((await app.state()).list, said.slice(0, -1), 'what was in memory only is gone, as the app was told')
  await app.page.close()
  const online = await open()
  await logHolds(online, stream, said.slice(0, -1))
})

for (const name of ['QuotaExceededError', 'NS_ERROR_DOM_QUOTA_REACHED'])
  test(`no room, by the name ${name}: not tried again, but carried to localStorage, and on to memory`, async () => {
    const stream = `journal/${name}`
    const { open } = await world(stream, () => {
      globalThis.full = {}
      const failing = (prototype, method, where) => {
        const real = prototype[method]
        prototype[method] = function (...args) {
          if (globalThis.full[where]) throw new DOMException('', globalThis.full[where])
          return real.apply(this, args)
        }
      }
      failing(IDBDatabase.prototype, 'transaction', 'indexedDB')
      const { open } = IDBFactory.prototype
      globalThis.openings = 0
      IDBFactory.prototype.open = function (...args) {
        globalThis.openings++
        return open.apply(this, args)
      }
      failing(Storage.prototype, 'setItem', 'localStorage')
    })
    const app = await open(true)
    const fill = (where, name) => app.x((_, [where, name]) => void (globalThis.full[where] = name), [where, name])
    await say(app, texts('before'))
    await durable(app)
    await fill('indexedDB', name)
    const openings = await app.x(() => globalThis.openings)
    await say(app, texts('full'))
    assert.ok(await durable(app))
    assert.equal(await app.x(() => globalThis.openings), openings, 'a full disk is full the next time too')
    await fill('localStorage', name)
    await say(app, ['fleeting'])
    await until('memory is the home', async () => (await app.status()).storage === 'memory')
    assert.deepEqual((await notices(app, 'storage')).map(({ storage, reason }) => [storage, reason]), [['localStorage', name], ['memory', name]])
    const said = [...texts('before'), ...texts('full'), 'fleeting']
    assert.deepEqual((await app.state()).list, said)
    await app.reload()
    assert.deepEqual((await app.state()).list, said.slice(0, -1), 'what was in memory only is gone, as the app was told')
    await app.page.close()
    await logHolds(await open(), stream, said.slice(0, -1))
  })

test('a newer version of the package opens the database: it need not wait, and the page that is open carries its outbox to localStorage', async () => {
  const stream = 'journal/version'
  const { profile, open } = await world(stream)
  const app = await open(true)
  await say(app, texts('before'))
  await durable(app)
  const newer = await profile.newPage()
  await newer.goto(`${site.url}/pages/app.js`)
  const upgraded = await newer.evaluate(async () => {
    const [{ name, version }] = (await indexedDB.databases()).filter(({ name }) => name.startsWith('twinstore:'))
    return new Promise((done, fail) => {
      const request = indexedDB.open(name, version + 1)
      Object.assign(request, { onsuccess: () => done(true), onblocked: () => fail(new Error('blocked')), onerror: () => fail(request.error) })
    })
  })
  assert.ok(upgraded)
  await until('localStorage is the home', async () => (await app.status()).storage === 'localStorage')
  await say(app, texts('after'))
  assert.ok(await durable(app))
  assert.deepEqual((await notices(app, 'storage')).map(({ storage }) => storage), ['localStorage'])
  const said = [...texts('before'), ...texts('after')]
  assert.deepEqual((await app.state()).list, said)
  await newer.close()
  await app.reload()
  assert.deepEqual((await app.state()).list, said, 'the older version reads what it carried along')
  await app.page.close()
  await logHolds(await open(), stream, said)
})

for (const [who, alone] of [['a tab among tabs', false], ['a page without Web Locks', true]])
  test(`${who}: a handle that was lost while it was hidden is found when it is seen again, before anything is dispatched`, async () => {
    const stream = `journal/hidden-${alone}`
    const { profile, open } = await world(stream)
    if (alone) await profile.addInitScript(() => Object.defineProperty(navigator, 'locks', { value: undefined }))
    await profile.addInitScript(() => {
      const { transaction } = IDBDatabase.prototype
      const lost = new WeakSet()
      const seen = new Set()
      globalThis.loseHandles = () => seen.forEach(handle => lost.add(handle))
      IDBDatabase.prototype.transaction = function (...args) {
        seen.add(this)
        if (lost.has(this)) throw new DOMException('the connection is lost', 'InvalidStateError')
        return transaction.apply(this, args)
      }
    })
    const app = await open(true)
    assert.equal((await app.status()).role, alone ? 'alone' : 'leader')
    await say(app, texts('before'))
    await durable(app)
    await app.x(() => globalThis.loseHandles())
    assert.deepEqual(await notices(app, 'storage'), [])
    await app.x(() => void document.dispatchEvent(new Event('visibilitychange')))
    await until('it is opened anew', async () => (await notices(app, 'storage')).length === 1 && (await app.status()).storage === 'indexedDB')
    await say(app, texts('after'))
    assert.ok(await durable(app))
    await app.page.close()
    await logHolds(await open(), stream, [...texts('before'), ...texts('after')])
  })

test('rows that cannot be read stay where they are, and hold up nothing', async () => {
  const stream = 'journal/rows'
  const { open } = await world(stream)
  const app = await open(true)
  await say(app, ['first', 'second', 'third'])
  await durable(app)
  const foreign = await inDatabase(app, damage)
  await app.reload()
  assert.deepEqual((await app.state()).list, ['first', 'third'])
  await app.page.close()
  const online = await open()
  await say(online, ['fourth'])
  await logHolds(online, stream, ['first', 'third', 'fourth'])
  assert.equal((await readDatabase(online)).entries, foreign, 'all that could not be read is still there')
})

test('a log that cannot be read is taken from the server again', async () => {
  const stream = 'journal/log'
  const { open } = await world(stream)
  const app = await open()
  await say(app, texts('said'))
  await app.settled()
  await app.page.close()
  for (const log of [['text'], [{ cursor: 5 }], [{ cursor: { log: '', seq: -1, chain: {} } }], [null], []]) {
    const away = await open(true)
    await putRows(away, 'meta', [['log', ...log]])
    await away.reload()
    await say(away, [`with ${JSON.stringify(log)}`])
    await durable(away)
    await away.page.close()
    const online = await open()
    await online.settled()
    await online.page.close()
  }
  const online = await open()
  const list = (await backend.events(stream)).map(event => event.action.payload)
  assert.equal(list.length, 25)
  await online.shows({ list })
})

/** In the page: one row of three is broken, and foreign ones are added. Gives how many cannot be read. */
async function damage(db, { done, committed }) {
  const transaction = db.transaction('outbox', 'readwrite')
  const outbox = transaction.objectStore('outbox')
  const [first, second, third] = (await done(outbox.getAll())).sort((a, b) => a.n - b.n)
  outbox.put({ ...second, text: second.text.slice(0, -5) }, [second.client, second.n])
  const action = text => JSON.stringify({ type: 'journal/add', payload: text })
  const foreign = [null, 'text', 7, [], {}, { text: '{}' }, new Date(), new Blob(['x']), { ...first, n: -1 }, { ...first, n: 0.5 }, { ...first, client: 5 },
    { ...first, client: 'no name', n: 90 }, { ...third, n: 91, order: 1e300 }, { ...third, n: 92, order: 'x' }, { ...third, n: 93, text: '"x"' },
    { ...third, n: 94, text: '{"type":5}' }, { ...third, n: 95, bytes: 1 }, { client: first.client, n: 96, text: action('x') }]
  foreign.forEach((row, i) => outbox.put(row, ['stranger', i]))
  await committed(transaction)
  return foreign.length + 1
}
