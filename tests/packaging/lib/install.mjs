/** The package as a user gets it: the tarball of `npm pack`, installed by npm into an empty project. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TARBALL } from '../../../scripts/build/demo.mjs'
import { at } from '../../../scripts/lib/paths.mjs'

/** An empty project with these files of consumer/ in it, outside the checkout, so that nothing else of ours is found. */
export function project(...files) {
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-packaging-'))
  const write = (name, text) => writeFileSync(join(folder, name), text)
  write('package.json', '{ "name": "consumer", "private": true, "type": "module" }')
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', '--offline', at(TARBALL)], { cwd: folder, stdio: 'pipe' })
  for (const file of files) copyFileSync(join(import.meta.dirname, '../consumer', file), join(folder, file))
  return { folder, write, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
