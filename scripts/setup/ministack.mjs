/** ministack, an emulator of AWS that runs functions as processes; in a Python of its own. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { at, tools } from '../lib/paths.mjs'
import { Failure, read, run } from '../lib/run.mjs'
import { hashOf, say, step } from '../lib/step.mjs'

const PACKAGES = 'scripts/setup/ministack.txt'
const folder = join(tools, 'ministack')

export const MINISTACK = join(folder, 'bin/ministack')
/** The Python that has its modules: botocore among them, which speaks with it. */
export const MINISTACK_PYTHON = join(folder, 'bin/python')

export async function ministack() {
  const stamp = join(folder, '.twinstore')
  const hash = hashOf([PACKAGES])
  if (existsSync(MINISTACK) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return say('· ministack: there')
  if (read('python3', ['-c', 'import sys, venv, ensurepip; assert sys.version_info >= (3, 10)']) === null)
    throw new Failure('AWS is emulated by ministack, which needs Python 3.10 or newer with venv: install python3 and python3-venv by your system\'s packages.')
  await step('ministack in a Python of its own (once; about half a minute)', async () => {
    rmSync(folder, { recursive: true, force: true })
    await run('python3', ['-m', 'venv', folder])
    await run(MINISTACK_PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', at(PACKAGES)])
  })
  writeFileSync(stamp, hash)
}
