/** Node packages, by `npm ci`, where node_modules does not come from the lock file as it stands. */
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs'
import { at } from '../lib/paths.mjs'
import { run } from '../lib/run.mjs'
import { hashOf, say, step } from '../lib/step.mjs'

/** The stamp lies inside node_modules, so that it goes with it. */
export async function nodePackages(folder = '.') {
  const modules = at(folder, 'node_modules')
  const stamp = `${modules}/.twinstore-lock`
  const hash = hashOf([`${folder}/package.json`, `${folder}/package-lock.json`])
  const name = folder === '.' ? 'node packages' : `node packages of ${folder}`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return say(`· ${name}: there`)
  // npm would empty the folder that it leads to.
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) return say(`· ${name}: a link, left as it is`)
  await step(`npm ci, ${name}`, () => run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: at(folder) }))
  writeFileSync(stamp, hash)
}
