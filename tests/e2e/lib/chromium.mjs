/**
 * A Chromium whose processes a test can kill: started by hand, with a profile on disk and a process for each page.
 *
 * Playwright starts browsers too, but names no process; and it closes what it started, where a kill shall be the end.
 */
import { spawn } from 'node:child_process'
import { chromium as playwright } from 'playwright-core'
import { findBrowser } from '../../../scripts/setup/browser.mjs'
import { FLAGS } from './browser.mjs'
import { until } from './until.mjs'

/** Without a spare renderer each page brings exactly one new process: that is how its id is known. */
const OWN_PROCESSES = ['--disable-features=SpareRendererForSitePerProcess', '--disable-hang-monitor']

/** All tabs but one are in the background, where timers would ring once a second. */
const AWAKE = ['--disable-background-timer-throttling', '--disable-backgrounding-occluded-windows', '--disable-renderer-backgrounding']

/** Their main processes: one that outlived its test would go on doing what its pages were told to. */
const running = new Set()
const killAll = () => running.forEach(child => process.kill(-child.pid, 'SIGKILL'))
process.once('exit', killAll)
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.once(signal, () => process.exit(1))

/** Starts it with a profile; what an earlier one left there is read again. */
export async function startChromium(folder) {
  const args = ['--headless', ...FLAGS, ...OWN_PROCESSES, ...AWAKE, '--remote-debugging-port=0', `--user-data-dir=${folder}`, 'about:blank']
  // A process group of its own, so that one signal reaches all its processes.
  const child = spawn(findBrowser().chromium, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  running.add(child)
  const gone = new Promise(done => child.once('exit', done)).finally(() => running.delete(child))
  const browser = await playwright.connectOverCDP(await debuggingUrl(child))
  const session = await browser.newBrowserCDPSession()
  const renderers = async () => {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo')
    return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
  }
  let opening = Promise.resolve()

  return {
    /** A page as `profile.newPage()` gives it, with the id of its own process. One after the other, or ids could be mixed up. */
    newPage() {
      opening = opening.catch(() => {}).then(async () => {
        const before = await renderers()
        const page = await browser.contexts()[0].newPage()
        const [pid, ...more] = (await renderers()).filter(id => !before.includes(id))
        if (pid === undefined || more.length > 0) throw new Error(`a new page has one new process, not ${[pid, ...more]}`)
        return Object.assign(page, { pid })
      })
      return opening
    },
    /** SIGKILL to all its processes in one call, or to the main one alone, whose end the others follow. */
    kill: ({ all = true } = {}) => {
      process.kill(all ? -child.pid : child.pid, 'SIGKILL')
      return gone
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      await session.send('Browser.close').catch(() => {})
      await gone
    },
  }
}

async function debuggingUrl(child) {
  let output = ''
  child.stderr.on('data', data => { output += data })
  const [, url] = await until('Chromium listens', () => {
    if (child.exitCode !== null) throw new Error(`Chromium ended with ${child.exitCode}:\n${output}`)
    return /listening on (ws:\S+)/.exec(output)
  })
  return url
}
