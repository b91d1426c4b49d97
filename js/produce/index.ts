/**
 * What stands in immer's place when a model is bundled for the server, where reducers run without a compiler and immer's proxies
 * are most of what they cost. It gives what immer 11 gives in production (`tests/produce`), but for what docs/MODELS.md lists.
 */
export { current, original } from './current.js'
export { isDraft, isModified } from './draft.js'
export { freeze } from './freeze.js'
export { immerable, isDraftable } from './kinds.js'
export { createDraft, finishDraft, nothing, produce, setAutoFreeze } from './produce.js'
