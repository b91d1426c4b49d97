/** Bundles the models that import something into one module each, as the server wants them. `node examples/build.js` */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const path = (name) => fileURLToPath(new URL(name, import.meta.url))

export async function buildModels() {
  await build({
    entryPoints: [path('workout/src/model.ts')],
    outfile: path('workout/dist/model.js'),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    // Neither a browser's nor Node's globals: the model runs in both, and in QuickJS.
    platform: 'neutral',
    mainFields: ['module', 'main'],
    define: { 'process.env.NODE_ENV': '"production"' },
    // Drops the branches that `define` made dead, and keeps names readable in the server's messages.
    minifySyntax: true,
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildModels()
