/** www/ → www/dist, with the package as npm would install it: from a tarball, not from a folder link. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { at } from '../lib/paths.mjs'
import { Failure, run } from '../lib/run.mjs'
import { unlessUnchanged } from '../lib/step.mjs'
import { nodePackages } from '../setup/packages.mjs'

const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'))
export const TARBALL = `target/twinstore-${version}.tgz`
export const DEMO = 'www/dist'

export async function buildDemo() {
  await pack()
  await nodePackages('www')
  await unlessUnchanged('package into www', {
    inputs: [TARBALL, 'www/package-lock.json'],
    outputs: ['www/node_modules/twinstore/package.json'],
  }, installTarball)
  await unlessUnchanged('demo', {
    inputs: ['www', 'examples', TARBALL, 'scripts/build/demo.mjs'],
    outputs: [`${DEMO}/index.html`],
  }, () => run('npm', ['run', '--silent', 'build'], { cwd: at('www'), env: { NG_CLI_ANALYTICS: 'false' } }))
}

/** The tarball of `npm pack`, for the demo and the packaging tests. */
export const pack = () =>
  unlessUnchanged('npm pack', {
    inputs: ['package.json', 'LICENSE-MIT', 'LICENSE-APACHE', 'CHANGELOG.md', 'README.md', 'dist'],
    outputs: [TARBALL],
  }, () => {
    mkdirSync(at('target'), { recursive: true })
    return run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', at('target')])
  })

/** Not saved: a tarball of our own in the lock file would break `npm ci` at each rebuild. */
async function installTarball() {
  const installed = at('www/node_modules/twinstore')
  // Of the same version and path npm would keep the old one.
  rmSync(installed, { recursive: true, force: true })
  await run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--silent', at(TARBALL)], { cwd: at('www') })
  const wasm = 'dist/twinstore_bg.wasm'
  if (!existsSync(`${installed}/${wasm}`) || !readFileSync(`${installed}/${wasm}`).equals(readFileSync(at(wasm))))
    throw new Failure('npm did not install the tarball that was just packed. Remove www/node_modules and start again.')
}
