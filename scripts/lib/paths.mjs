/** Where things lie: the checkout, and what is kept outside it between checkouts. */
import { homedir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')

/** Tools and builds are kept here, so that a second checkout does not pay for them again. */
export const cache = resolve(
  process.env.TWINSTORE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'twinstore'),
)
export const tools = join(cache, 'tools')
export const targetDir = resolve(process.env.CARGO_TARGET_DIR ?? join(cache, 'target'))

/** Stamps of what was built from which inputs; they go when the checkout goes. */
export const stamps = join(root, 'target/stamps')

export const at = (...parts) => join(root, ...parts)

/** The environment of every program that these scripts start: our tools come first. */
export const env = {
  ...process.env,
  CARGO_TARGET_DIR: targetDir,
  PATH: [join(tools, 'bin'), at('node_modules/.bin'), process.env.PATH].join(delimiter),
}

export const exe = process.platform === 'win32' ? '.exe' : ''
