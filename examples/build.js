/** Bundles the models that import something into one module each, as the server wants them. `node examples/build.js` */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const path = (name) => fileURLToPath(new URL(name, import.meta.url))

/** For esbuild, but for what goes in and out: one module that runs in a browser, in Node and in QuickJS. */
export const modelOptions = {
  bundle: true,
  format: 'esm',
  target: 'es2022',
  // Neither a browser's nor Node's globals.
  platform: 'neutral',
  mainFields: ['module', 'main'],
  define: { 'process.env.NODE_ENV': '"production"' },
  // Drops the branches that `define` made dead, and keeps names readable in the server's messages.
  minifySyntax: true,
}

export async function buildModels() {
  await build({
    ...modelOptions,
    entryPoints: [path('workout/src/model.ts')],
    outfile: path('workout/dist/model.js'),
    // In an app of your own: { immer: 'twinstore/produce' }.
    alias: { immer: path('../js/produce/index.ts') },
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildModels()
