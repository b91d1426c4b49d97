/** What most files set up before their tests and take down again: a backend, the site with the test pages, browsers. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { startBackend } from './backend.mjs'
import { launch } from './browser.mjs'
import { startChromium } from './chromium.mjs'
import { startSite } from './site.mjs'

/**
 * Sets up what is asked for before the tests of the file, gives it to `take`, and takes it down after them.
 *
 * `backend`: its options. `site`: false where no test page is opened. `browsers`: how many, each with profiles that
 * end with it. `chromium`: one whose processes can be killed, as `chromium`, with its profile in `folder`.
 */
export function stage({ backend = {}, site = true, browsers = 0, chromium = false }, take) {
  const undo = []
  const make = async (what, end) => {
    const at = undo.push(() => {}) - 1
    const part = await what
    undo[at] = () => end(part)
    return part
  }
  before(async () => {
    const folder = chromium ? await make(newFolder(), removeFolder) : undefined
    const [started, served, killable, ...launched] = await Promise.all([
      make(startBackend(backend), backend => backend.close()),
      site ? make(startSite(), site => site.close()) : undefined,
      chromium ? make(startChromium(folder), chromium => chromium.close()) : undefined,
      ...Array.from({ length: browsers }, () => make(launch(), browser => browser.close())),
    ])
    take({ backend: started, site: served, chromium: killable, folder, browser: launched[0], browsers: launched })
  })
  // Backwards: browsers go before what their pages are connected to.
  after(async () => {
    for (const end of undo.reverse()) await end()
  })
}

/** A folder for a browser's profile. */
export const newFolder = () => mkdtempSync(join(tmpdir(), 'twinstore-profile-'))

/** A browser that was just killed may still be writing. */
export const removeFolder = folder => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
