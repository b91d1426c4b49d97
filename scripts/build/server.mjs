/** The server: the `twinstore` binary. */
import { join } from 'node:path'
import { exe, targetDir } from '../lib/paths.mjs'
import { run } from '../lib/run.mjs'
import { step } from '../lib/step.mjs'

export const serverBinary = join(targetDir, 'debug', `twinstore${exe}`)

/** Cargo itself knows what is unchanged. */
export const buildServer = () => step('server', () => run('cargo', ['build', '-p', 'twinstore']))
