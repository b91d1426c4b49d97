/** A tab that is killed in the very task in which it dispatched loses nothing. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { startBackend } from './lib/backend.mjs'
import { launchOnDisk, openApp } from './lib/browser.mjs'
import { startSite } from './lib/site.mjs'
import { until } from './lib/until.mjs'

const TIMES = 20
const ACTIONS = 3
let backend, site, profile, folder
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'twinstore-profile-'))
  ;[backend, site, profile] = await Promise.all([startBackend(), startSite(), launchOnDisk(folder)])
})
after(async () => {
  await profile.close()
  site.close()
  await backend.close()
  rmSync(folder, { recursive: true, force: true })
})

test(`killed ${TIMES} times right after its dispatch, offline: all is back, and is sent once`, async () => {
  const stream = 'journal/killed-tab'
  const expected = []
  for (let i = 0; i < TIMES; i++) {
    const said = Array.from({ length: ACTIONS }, (_, j) => `tab ${i} said ${j}`)
    const app = await openApp(profile, site, { backend, model: 'journal', stream })
    if (i === 0) {
      await app.online()
      await backend.takeAway()
      await app.offline()
    }
    assert.deepEqual(await app.state(), { list: expected }, `after ${i} kills`)
    await dispatchAndDie(app, said)
    expected.push(...said)
  }
  await backend.bringBack()
  const last = await openApp(profile, site, { backend, model: 'journal', stream })
  await last.settled()
  const events = (await backend.events(stream)).map(event => event.action.payload)
  assert.deepEqual([...events].sort(), [...expected].sort(), 'each once')
  for (let i = 0; i < TIMES; i++) {
    const ofTab = list => list.filter(text => text.startsWith(`tab ${i} `))
    assert.deepEqual(ofTab(events), ofTab(expected), 'each tab in its order')
  }
  await last.shows({ list: events })
})

/** The page dispatches and, still in that task, asks for a mark and waits; at the mark its process is killed. */
async function dispatchAndDie(app, said) {
  const renderers = await rendererIds(app.page)
  const crashed = new Promise(done => app.page.once('crash', done))
  let marks = 0
  site.onMark = () => {
    marks++
    for (const pid of renderers) process.kill(pid, 'SIGKILL')
  }
  app.x((app, said) => {
    said.forEach(payload => app.store.dispatch({ type: 'journal/add', payload }))
    const mark = new XMLHttpRequest()
    mark.open('GET', '/mark', false)
    mark.send()
  }, said).catch(() => {})
  await until('the mark', () => marks === 1)
  await crashed
  await app.page.close()
}

/** A page's process cannot be told from its browser's other ones; there is but one page, so all of them go. */
async function rendererIds(page) {
  const session = await page.context().newCDPSession(page).catch(() => null)
  const { processInfo } = await (await page.context().browser().newBrowserCDPSession()).send('SystemInfo.getProcessInfo')
  await session?.detach()
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
}
