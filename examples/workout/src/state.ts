/** The state of the workout app, all of it. Weights are grams and times milliseconds, so that all numbers are whole. */

export const MUSCLES = ['legs', 'back', 'chest', 'shoulders', 'arms', 'core'] as const
export type Muscle = (typeof MUSCLES)[number]

export interface Exercise {
  id: string
  name: string
  muscle: Muscle
  /** Archived: kept for the sessions that used it, no longer offered. */
  archived: boolean
  /** The best set of all finished sessions. */
  best: Best | null
}

export interface Best {
  weight: number
  reps: number
  session: string
  set: string
}

export interface PlanItem {
  id: string
  exercise: string
  sets: number
  reps: number
  restSeconds: number
}

export interface Plan {
  id: string
  name: string
  items: PlanItem[]
}

export interface LoggedSet {
  id: string
  exercise: string
  reps: number
  weight: number
  at: number
}

export interface Session {
  id: string
  plan: string | null
  status: 'running' | 'finished'
  startedAt: number
  endedAt: number | null
  sets: LoggedSet[]
  /** The sum of reps × weight, in grams. */
  volume: number
}

/** Counts nothing down: what is left follows from these times and the clock of whoever looks. */
export interface RestTimer {
  session: string
  startedAt: number
  endsAt: number
  /** Set while paused; `endsAt` moves by the length of the pause when it ends. */
  pausedAt: number | null
}

export type ById<T> = Record<string, T>

export interface WorkoutState {
  exercises: ById<Exercise>
  plans: ById<Plan>
  sessions: ById<Session>
  activeSession: string | null
  restTimer: RestTimer | null
}

export const initialState: WorkoutState = {
  exercises: {},
  plans: {},
  sessions: {},
  activeSession: null,
  restTimer: null,
}

/** `hasOwn`, because an id may be `constructor`. */
export function find<T>(byId: ById<T>, id: string | null | undefined): T | undefined {
  return typeof id === 'string' && Object.hasOwn(byId, id) ? byId[id] : undefined
}

/** Milliseconds of rest that are left at `now`; 0 when it is over or none runs. For views, not for reducers. */
export function restLeft(timer: RestTimer | null, now: number): number {
  return timer === null ? 0 : Math.max(0, timer.endsAt - (timer.pausedAt ?? now))
}
