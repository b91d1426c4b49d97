/** Chromium and its driver: found, or installed where the system's package manager can give them. */
import { existsSync } from 'node:fs'
import { Failure } from '../lib/run.mjs'
import { say, step } from '../lib/step.mjs'
import { aptInstaller, which } from './apt.mjs'

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
  const install = aptInstaller()
  if (install === null)
    throw new Failure('The browser tests need Chromium and ChromeDriver of one version, and they cannot be installed from here. '
      + 'Install both (Debian: chromium chromium-driver; Ubuntu has them as a snap; macOS: brew install --cask chromium chromedriver), '
      + 'or name them in CHROMIUM_PATH and CHROMEDRIVER, and start again.')
  await step('apt-get install chromium chromium-driver (once; about a minute)', () => install('chromium', 'chromium-driver'))
}
