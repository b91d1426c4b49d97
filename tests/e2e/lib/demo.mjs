/** The demo in a browser: opened at a stream, and what tests ask of it (see www/TESTING.md). */
import { until } from './until.mjs'

/** `x(fn, arg)` runs `fn(arg)` in the page; `__twin`, `__dispatch` and `__orders` are there. */
export async function openDemo(profile, backend, stream) {
  const page = await profile.newPage()
  const errors = []
  page.on('pageerror', error => errors.push(String(error)))
  await page.goto(`${backend.httpUrl}/?stream=${encodeURIComponent(stream)}`)
  const x = (fn, arg) => page.evaluate(fn, arg)
  const demo = {
    page, errors, x,
    ready: () => until('the demo is ready', async () => {
      if (errors.length > 0) throw new Error(errors.join('\n'))
      return x(() => globalThis.__twin?.ready.then(() => true))
    }),
    orders: () => x(() => globalThis.__orders()),
    status: () => x(() => globalThis.__twin.status),
    until: (what, test) => until(what, async () => test(await demo.status()), { seen: demo.status }),
    online: () => demo.until('the demo is online', ({ link }) => link === 'online'),
    offline: () => demo.until('the demo is not online', ({ link }) => link !== 'online'),
    settled: () => demo.until('nothing is pending', ({ link, pending }) => link === 'online' && pending === 0),
    dispatch: actions => x(actions => actions.forEach(action => globalThis.__dispatch(action)), actions),
    /** The service worker has every file, and answers for this page. */
    async startsOffline() {
      await until('the service worker has all files', () => x(async () => {
        await navigator.serviceWorker.ready
        const needed = ['twinstore_bg.wasm', ...[...document.scripts].map(({ src }) => src).filter(Boolean)]
        const cached = await Promise.all(needed.map(file => caches.match(new URL(file, document.baseURI).href)))
        return cached.every(Boolean)
      }))
      await page.reload()
      await demo.ready()
      await until('the service worker answers for the page', () => x(() => navigator.serviceWorker.controller !== null))
    },
    visible: testid => page.locator(`[data-testid="${testid}"]:visible`),
  }
  await demo.ready()
  return demo
}

/** Five actions an order: 40 orders are 200 actions. */
export const orderActions = (id, customer) => [
  { type: 'create', payload: { id, customer } },
  { type: 'addLine', payload: { id, line: { id: `${id}-tea`, sku: 'Tea, green', quantity: 2, price: 450 } } },
  { type: 'addLine', payload: { id, line: { id: `${id}-cup`, sku: 'Cup, blue', quantity: 1, price: 1_290 } } },
  { type: 'update', payload: { id, customer: `${customer} & Co` } },
  { type: 'confirm', payload: { id } },
]
