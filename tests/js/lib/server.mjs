/** The real server with the models of these tests, one for each test file. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { build } from 'esbuild'
import { at } from '../../../scripts/lib/paths.mjs'
import { MODELS, startBackend } from '../../e2e/lib/backend.mjs'

/** `remote(stream, action)`: another client's action; resolves when it is in the log. */
export async function startServer(models = ['orders']) {
  const folder = mkdtempSync(join(tmpdir(), 'twinstore-models-'))
  await build({
    entryPoints: models.map(model => at(`tests/js/models/${model}.mjs`)), outdir: folder, bundle: true, format: 'esm', target: 'es2022',
    platform: 'neutral', mainFields: ['module', 'main'], define: { 'process.env.NODE_ENV': '"production"' },
  })
  for (const model of models) MODELS[model] = join(folder, `${model}.js`)
  const backend = await startBackend({ models })
  after(async () => {
    await backend.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return Object.assign(backend, {
    remote: async (stream, action) => (await backend.post(stream, action)).at(-1).seq,
    types: async stream => (await backend.events(stream)).map(event => event.action.type),
  })
}
