/** Real Chromium: profiles, pages with an app in them, and what tests ask of those. */
import { chromium } from 'playwright-core'
import { findBrowser } from '../../../scripts/setup/browser.mjs'
import { canonical } from '../../../examples/testing.js'
import { until } from './until.mjs'

/** Without them Chromium talks to its maker's servers; a root user gets no sandbox. */
export const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync']
const settings = () => ({ executablePath: findBrowser().chromium, args: FLAGS })

export const launch = () => chromium.launch(settings())

/** Opens the test page in a profile; resolves when its twin is ready. `app.x(fn, arg)` runs `fn(window.app, arg)` in it. */
export async function openApp(profile, site, { backend, model, stream, options = {}, validate, store, states }) {
  const page = await profile.newPage()
  const errors = []
  page.on('pageerror', error => errors.push(String(error)))
  const query = new URLSearchParams({
    model, stream, url: backend.url, options: JSON.stringify(options),
    ...(validate ? { validate: '1' } : {}), ...(store ? { store } : {}), ...(states ? { states: '1' } : {}),
  })
  await page.goto(`${site.url}/pages/app.html?${query}`)
  const app = appOf(page, errors)
  await app.ready()
  return app
}

function appOf(page, errors) {
  const x = (fn, arg) => page.evaluate(`(${fn})(window.app, ${JSON.stringify(arg) ?? 'undefined'})`)
  const app = {
    page, errors, x,
    ready: () => until('the page is ready', async () => {
      if (errors.length > 0) throw new Error(errors.join('\n'))
      return page.evaluate('window.app?.isReady')
    }),
    reload: async () => {
      await page.reload()
      await app.ready()
    },
    state: () => x(app => app.store.getState()),
    status: () => x(app => app.twin.status),
    dispatch: action => x((app, action) => void app.store.dispatch(action), action),
    online: () => app.until('the link is online', status => status.link === 'online'),
    offline: () => app.until('the link is not online', status => status.link !== 'online'),
    /** Online, and every action has its verdict. */
    settled: () => app.until('online and nothing pending', status => status.link === 'online' && status.pending === 0),
    until: (what, test) => until(what, async () => test(await app.status()), { seen: app.status }),
    shows: state => until('the page shows that state', async () => canonical(await app.state()) === canonical(state), { seen: app.state }),
  }
  return app
}

export { canonical }
