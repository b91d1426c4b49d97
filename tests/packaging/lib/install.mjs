/** The package as a user gets it: the tarball of `npm pack`, installed by npm into an empty project. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TARBALL } from '../../../scripts/build/demo.mjs'
import { at } from '../../../scripts/lib/paths.mjs'

/** `{ folder, write(name, text), remove() }`: outside the checkout, so that nothing else of ours is found. */
export function project() {
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-packaging-'))
  const write = (name, text) => writeFileSync(join(folder, name), text)
  write('package.json', '{ "name": "consumer", "private": true, "type": "module" }')
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', '--offline', at(TARBALL)], { cwd: folder, stdio: 'pipe' })
  return { folder, write, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
