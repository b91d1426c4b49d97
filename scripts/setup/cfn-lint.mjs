/** cfn-lint, which reads CloudFormation templates as AWS would; in a Python of its own. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { at, tools } from '../lib/paths.mjs'
import { Failure, read, run } from '../lib/run.mjs'
import { hashOf, say, step } from '../lib/step.mjs'

const PACKAGES = 'scripts/setup/cfn-lint.txt'
const folder = join(tools, 'cfn-lint')
const bin = join(folder, process.platform === 'win32' ? 'Scripts' : 'bin')

/** Where the linter is, and the Python that has its modules. */
export const CFN_LINT = join(bin, 'cfn-lint')
export const CFN_PYTHON = join(bin, 'python')

export async function cfnLint() {
  const stamp = join(folder, '.twinstore')
  const hash = hashOf([PACKAGES])
  if (existsSync(CFN_LINT) && existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return say('· cfn-lint: there')
  if (read('python3', ['-c', 'import sys, venv, ensurepip; assert sys.version_info >= (3, 10)']) === null)
    throw new Failure('The templates for AWS are checked by cfn-lint, which needs Python 3.10 or newer with venv: install python3 and python3-venv by your system\'s packages.')
  await step('cfn-lint in a Python of its own (once; about half a minute)', async () => {
    rmSync(folder, { recursive: true, force: true })
    await run('python3', ['-m', 'venv', folder])
    await run(CFN_PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', at(PACKAGES)])
  })
  writeFileSync(stamp, hash)
}
