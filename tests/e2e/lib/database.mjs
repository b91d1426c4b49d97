/** The database of a page's one twin, as a test reads it and puts into it behind the twin's back. */

/** How many `entries` and `packs` wait, the `events` that are stored, the `log` row and the `state`; all as of one moment. */
export const readDatabase = app => inDatabase(app, async (db, { done }) => {
  const reading = db.transaction(['outbox', 'events', 'meta'])
  const [outbox, events, meta] = ['outbox', 'events', 'meta'].map(name => reading.objectStore(name))
  const asked = [outbox.count(), events.getAll(), meta.getAllKeys(), meta.get('log'), meta.get('state')]
  const [entries, lists, keys, log, state] = await Promise.all(asked.map(done))
  return { entries, packs: keys.filter(([kind]) => kind === 'pack').length, events: lists.flat(), log, state }
})

/** Puts rows, `[key, value]`, into a store; without a value: takes what is there out. */
export const putRows = (app, store, rows) => inDatabase(app, async (db, { committed }, { store, rows }) => {
  const transaction = db.transaction(store, 'readwrite')
  const objects = transaction.objectStore(store)
  for (const [key, value] of rows) void (value === undefined ? objects.delete(key) : objects.put(value, key))
  await committed(transaction)
}, { store, rows })

/** Whether a read comes back within `withinMs`; it does not while another page's transaction holds the stores. */
export const doesDatabaseAnswer = (app, withinMs = 2000) => inDatabase(app, (db, { done }, withinMs) => Promise.race([
  done(db.transaction('outbox').objectStore('outbox').count()).then(() => true),
  new Promise(resolve => setTimeout(() => resolve(false), withinMs))
]), withinMs)

/** Runs `work(db, { done, committed }, arg)` in the page: `done(request)` resolves with its result, `committed(transaction)` when it is. */
export const inDatabase = (app, work, arg) => app.page.evaluate(`(${open})(${work}, ${JSON.stringify(arg)})`)

async function open(work, arg) {
  const done = request => new Promise((resolve, reject) => {
    Object.assign(request, { onsuccess: () => resolve(request.result), onerror: () => reject(request.error) })
  })
  const committed = transaction => new Promise((resolve, reject) => {
    Object.assign(transaction, { oncomplete: resolve, onabort: () => reject(transaction.error) })
  })
  const { name } = (await indexedDB.databases()).find(({ name }) => name.startsWith('twinstore:'))
  const db = await done(indexedDB.open(name))
  try {
    return await work(db, { done, committed }, arg)
  } finally {
    db.close()
  }
}

/** Deletes it, and whatever else the page has, under the open twin. */
export const deleteDatabases = app => app.x(async () => {
  for (const { name } of await indexedDB.databases()) await new Promise(done => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = request.onerror = done
  })
})
