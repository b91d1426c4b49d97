/**
 * The workout model: a Redux Toolkit slice of a whole app, as the file that browser and server both run.
 *
 * esbuild bundles it with Redux Toolkit into `dist/model.js`, one module without imports.
 */
import { malformed, type Incoming } from './shape'
import { workout } from './slice'
import { initialState, type WorkoutState } from './state'

export { validate } from './validate'
export { initialState, restLeft } from './state'
export type * from './state'
export const { actions } = workout

/** The number of this model's actions and states. */
export const schema = 1

/** Total: what is malformed, foreign or without an object gives back the very state. */
export default function reducer(state: WorkoutState | undefined, action: Incoming): WorkoutState {
  if (malformed(action) !== undefined) return state ?? initialState
  return workout.reducer(state, action)
}

/** What subscribers of records see: one record per exercise, plan and session, and one of what is going on now. */
export function records(state: WorkoutState): Record<string, unknown> {
  const { activeSession, restTimer } = state
  return {
    ...keyed('exercise', state.exercises),
    ...keyed('plan', state.plans),
    ...keyed('session', state.sessions),
    now: { activeSession, restTimer },
  }
}

function keyed(kind: string, byId: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(byId).map(([id, record]) => [`${kind}/${id}`, record]))
}
