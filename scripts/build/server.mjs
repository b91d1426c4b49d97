/** The server: the `twinstore` binary. */
import { join } from 'node:path'
import { exe, targetDir } from '../lib/paths.mjs'
import { run } from '../lib/run.mjs'
import { step } from '../lib/step.mjs'

/** For `npm start`. */
export const RELEASE = { folder: 'release', args: ['--release'] }
/** For the tests: `cargo test` has built its parts already, and its assertions are on. */
export const DEV = { folder: 'debug', args: [] }

export const serverBinary = profile => join(targetDir, profile.folder, `twinstore${exe}`)

/** Cargo itself knows what is unchanged. */
export const buildServer = profile =>
  step(`server (${profile.folder})`, () => run('cargo', ['build', '-p', 'twinstore', ...profile.args]))
