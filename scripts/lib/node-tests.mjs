/** Node's test runner, over lists of files: folders mean different things to it in Node 20 and 22. */
import { existsSync, readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { at } from './paths.mjs'
import { Failure, run } from './run.mjs'

/** The files below a folder that match, without what was installed or built. */
export function filesBelow(folder, pattern) {
  if (!existsSync(at(folder))) return []
  return readdirSync(at(folder), { withFileTypes: true })
    .filter(({ name }) => !['node_modules', 'dist', 'output'].includes(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(entry => {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) return filesBelow(path, pattern)
      return pattern.test(entry.name) ? [path] : []
    })
}

/** `concurrency`: how many files at a time; one where they measure or drive browsers. */
export async function nodeTests(files, { concurrency = 2, timeoutMs = 120_000, env = {} } = {}) {
  if (files.length === 0) throw new Failure('there are no tests here')
  await run(process.execPath, ['--test', '--test-reporter=spec', `--test-concurrency=${concurrency}`,
    `--test-timeout=${timeoutMs}`, ...files], { env })
}

/** Tests in TypeScript: bundled to plain modules first, their packages left out of the bundle. */
export async function bundledTests(files) {
  if (files.length === 0) return []
  const { build } = await import('esbuild')
  await build({
    entryPoints: files.map(file => at(file)), outdir: at('target/unit'), outbase: at('.'), outExtension: { '.js': '.mjs' },
    bundle: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external', sourcemap: 'inline',
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true } }, logLevel: 'warning',
  })
  return files.map(file => `target/unit/${file.replace(basename(file), basename(file).replace(/\.ts$/, '.mjs'))}`)
}
