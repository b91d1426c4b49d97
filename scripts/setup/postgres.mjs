/** PostgreSQL's server, which the tests start by themselves: found, or installed by the system's package manager. */
import { existsSync, readdirSync } from 'node:fs'
import { Failure } from '../lib/run.mjs'
import { say, step } from '../lib/step.mjs'
import { aptInstaller, which } from './apt.mjs'

const DEBIAN = '/usr/lib/postgresql'

export async function postgres() {
  if (isThere()) return say('· PostgreSQL: there')
  const install = aptInstaller()
  if (install === null)
    throw new Failure('The tests of the store in PostgreSQL start one, and it cannot be installed from here. '
      + 'Install it (Debian: postgresql; macOS: brew install postgresql), '
      + 'or name the folder of initdb and postgres in TWINSTORE_POSTGRES_BIN, and start again.')
  await step('apt-get install postgresql (once; about a minute)', () => install('postgresql'))
}

/** As crates/postgres/src/testing.rs looks for it. */
function isThere() {
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).map(version => `${DEBIAN}/${version}/bin`) : []
  const named = process.env.TWINSTORE_POSTGRES_BIN
  return which(['initdb']) !== null || [...debian, ...(named ? [named] : [])].some(bin => existsSync(`${bin}/initdb`))
}
