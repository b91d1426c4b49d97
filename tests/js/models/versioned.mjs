/** A counter whose actions are of schema 2. */
export { default } from './counter.mjs'

export const schema = 2
