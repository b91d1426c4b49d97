/**
 * The package's front door.
 *
 * What decides lives in Rust (`src/`, `crates/engine`); TypeScript has what needs neither a rule nor Rust:
 * options, listeners, promises, locks. `dist/node.js` is the same door for Node.
 */
export { init, initSync } from './load.js'
export { createTwin } from './twin.js'
export { REBASE, REMOTE, isTwinError } from './types.js'
export type * from './types.js'
