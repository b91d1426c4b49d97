/** Chromium and its driver: found, or installed where the system's package manager can give them. */
import { existsSync } from 'node:fs'
import { env } from '../lib/paths.mjs'
import { Failure, read, run } from '../lib/run.mjs'
import { say, step } from '../lib/step.mjs'

const CHROMIUM = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const MAC = '/Applications/Chromium.app/Contents/MacOS/Chromium'

/** `{ chromium, driver }`: paths, null where there is none. `CHROMIUM_PATH` and `CHROMEDRIVER` win. */
export function findBrowser() {
  return {
    chromium: process.env.CHROMIUM_PATH ?? which(CHROMIUM) ?? (existsSync(MAC) ? MAC : null),
    driver: process.env.CHROMEDRIVER ?? which(['chromedriver']),
  }
}

export async function browser() {
  const found = findBrowser()
  if (found.chromium && found.driver) return say(`· Chromium and its driver: there`)
  const sudo = sudoForApt()
  if (sudo === null)
    throw new Failure('The browser tests need Chromium and ChromeDriver of one version, and they cannot be installed from here. '
      + 'Install both (Debian: chromium chromium-driver; Ubuntu has them as a snap; macOS: brew install --cask chromium chromedriver), '
      + 'or name them in CHROMIUM_PATH and CHROMEDRIVER, and start again.')
  await step('apt-get install chromium chromium-driver (once; about a minute)', async () => {
    const [command, ...first] = [...sudo, 'apt-get']
    const quiet = { env: { DEBIAN_FRONTEND: 'noninteractive' } }
    await run(command, [...first, 'update', '-qq'], quiet)
    await run(command, [...first, 'install', '-y', '-qq', '--no-install-recommends', 'chromium', 'chromium-driver'], quiet)
  })
}

/** The words before `apt-get`; null where there is no apt-get, or no right to use it without a question. */
function sudoForApt() {
  if (process.platform !== 'linux' || which(['apt-get']) === null) return null
  if (process.getuid() === 0) return []
  return read('sudo', ['-n', 'true']) === null ? null : ['sudo', '-n']
}

function which(names) {
  for (const name of names)
    for (const folder of env.PATH.split(':'))
      if (existsSync(`${folder}/${name}`)) return `${folder}/${name}`
  return null
}
