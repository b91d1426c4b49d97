/** The models that are written in several files: bundled to the one module that `twinstore serve` takes. */
import { unlessUnchanged } from '../lib/step.mjs'

export const SALES_ORDER = 'examples/sales-order/reducer.js'
export const WORKOUT = 'examples/workout/dist/model.js'

export async function buildModels() {
  const inputs = ['examples', 'js/produce', 'package-lock.json', 'scripts/build/models.mjs']
  // What it imports is there only after the set-up, hence so late.
  await unlessUnchanged('models', { inputs, outputs: [WORKOUT] }, async () => (await import('../../examples/build.js')).buildModels())
}
