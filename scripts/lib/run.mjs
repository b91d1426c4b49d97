/** Starting other programs: their output is shown as it comes, a failure ends the script with one sentence. */
import { spawn, spawnSync } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { env, root } from './paths.mjs'

/** What ends a script in an orderly way: the sentence is for the user, no stack is shown. */
export class Failure extends Error {}

/** Runs a program to its end; rejects with a {@link Failure} where it fails. */
export function run(command, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options, env: { ...env, ...options.env } })
    child.on('error', error => fail(new Failure(`${command} could not be started: ${error.message}`)))
    child.on('exit', (code, signal) =>
      code === 0 ? done() : fail(new Failure(`${[command, ...args].join(' ')}: ${signal ?? `exit code ${code}`}`)))
  })
}

/** What a program prints, or null where it is missing or fails. */
export function read(command, args, options = {}) {
  const { status, stdout } = spawnSync(command, args, { cwd: root, encoding: 'utf8', env, ...options })
  return status === 0 ? stdout.trim() : null
}

/** Whether this module is the script that was started, not one that another imports. */
export const isMain = url => process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url)

/** Calls a script's main function; a {@link Failure} is told without its stack. */
export async function main(body) {
  try {
    await body()
  } catch (error) {
    console.error(error instanceof Failure ? `\n✗ ${error.message}` : error)
    process.exitCode = 1
  }
}
