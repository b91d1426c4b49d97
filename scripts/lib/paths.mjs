/** Where things lie: the checkout, and what is kept outside it between checkouts. */
import { createHash } from 'node:crypto'
import { homedir } from 'node:os'
import { basename, delimiter, join, resolve } from 'node:path'

export const root = resolve(import.meta.dirname, '../..')

/** Tools and builds are kept here, so that a second clone in the same place does not pay for them again. */
export const cache = resolve(
  process.env.TWINSTORE_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'twinstore'),
)
export const tools = join(cache, 'tools')
/** For each place its own: what is built has paths in it, and Cargo takes another checkout's older files for unchanged. */
const place = `${basename(root)}-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`
export const targetDir = resolve(process.env.CARGO_TARGET_DIR ?? join(cache, 'target', place))

/** Stamps of what was built from which inputs; they go when the checkout goes. */
export const stamps = join(root, 'target/stamps')

export const at = (...parts) => join(root, ...parts)

/** The environment of every program that these scripts start: our tools come first. */
export const env = {
  ...process.env,
  CARGO_TARGET_DIR: targetDir,
  // A build that is made once pays for what would make the next one quick, in disk most of all.
  ...(process.env.CI ? { CARGO_INCREMENTAL: '0' } : {}),
  PATH: [join(tools, 'bin'), at('node_modules/.bin'), process.env.PATH].join(delimiter),
}

export const exe = process.platform === 'win32' ? '.exe' : ''
