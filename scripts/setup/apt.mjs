/** The system's package manager, where it may be used without a question. */
import { existsSync } from 'node:fs'
import { env } from '../lib/paths.mjs'
import { read, run } from '../lib/run.mjs'

/** Installs the packages that it is given; null where there is no apt-get, or no right to use it. */
export function aptInstaller() {
  const sudo = sudoForApt()
  if (sudo === null) return null
  const [command, ...first] = [...sudo, 'apt-get']
  const quiet = { env: { DEBIAN_FRONTEND: 'noninteractive' } }
  return async (...packages) => {
    await run(command, [...first, 'update', '-qq'], quiet)
    await run(command, [...first, 'install', '-y', '-qq', '--no-install-recommends', ...packages], quiet)
  }
}

/** The words before `apt-get`; null where there is no apt-get, or no right to use it without a question. */
function sudoForApt() {
  if (process.platform !== 'linux' || which(['apt-get']) === null) return null
  if (process.getuid() === 0) return []
  return read('sudo', ['-n', 'true']) === null ? null : ['sudo', '-n']
}

/** The first of these programs that is on the path, or null. */
export function which(names) {
  for (const name of names)
    for (const folder of env.PATH.split(':'))
      if (existsSync(`${folder}/${name}`)) return `${folder}/${name}`
  return null
}
