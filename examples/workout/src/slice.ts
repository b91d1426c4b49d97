/**
 * The Redux Toolkit slice: what each action does. Which may follow which is `validate.ts`'s.
 *
 * I9: nothing here asks a clock. A time is the payload's `at` where the user gave one, else that of the action's
 * dispatch, which its stamp carries. Nor does anything depend on the order of keys, which a rebase may change.
 */
import { createSlice, type PayloadAction } from '@reduxjs/toolkit'
import { find, initialState, type LoggedSet, type Muscle, type PlanItem, type Session, type WorkoutState } from './state'

export const workout = createSlice({
  name: 'workout',
  initialState,
  reducers: {
    exerciseAdded(state, { payload }: PayloadAction<{ id: string; name: string; muscle: Muscle }>) {
      const { id, name, muscle } = payload
      if (!find(state.exercises, id)) state.exercises[id] = { id, name, muscle, archived: false, best: null }
    },
    exerciseRenamed(state, { payload }: PayloadAction<{ id: string; name: string }>) {
      const exercise = find(state.exercises, payload.id)
      if (exercise) exercise.name = payload.name
    },
    exerciseArchived(state, { payload }: PayloadAction<{ id: string }>) {
      const exercise = find(state.exercises, payload.id)
      if (exercise) exercise.archived = true
    },

    planAdded(state, { payload }: PayloadAction<{ id: string; name: string }>) {
      const { id, name } = payload
      if (!find(state.plans, id)) state.plans[id] = { id, name, items: [] }
    },
    planRenamed(state, { payload }: PayloadAction<{ id: string; name: string }>) {
      const plan = find(state.plans, payload.id)
      if (plan) plan.name = payload.name
    },
    planItemAdded(state, { payload }: PayloadAction<{ id: string; item: PlanItem }>) {
      const plan = find(state.plans, payload.id)
      if (!plan || byId(plan.items, payload.item.id)) return
      const { id, exercise, sets, reps, restSeconds } = payload.item
      plan.items.push({ id, exercise, sets, reps, restSeconds })
    },
    planItemMoved(state, { payload }: PayloadAction<{ id: string; item: string; to: number }>) {
      const items = find(state.plans, payload.id)?.items
      const item = items && byId(items, payload.item)
      if (!items || !item) return
      items.splice(items.indexOf(item), 1)
      items.splice(payload.to, 0, item)
    },
    planItemRemoved(state, { payload }: PayloadAction<{ id: string; item: string }>) {
      const plan = find(state.plans, payload.id)
      if (plan) remove(plan.items, payload.item)
    },
    planRemoved(state, { payload }: PayloadAction<{ id: string }>) {
      if (find(state.plans, payload.id)) delete state.plans[payload.id]
    },

    sessionStarted(state, action: PayloadAction<{ id: string; plan?: string; at?: number }>) {
      const { id, plan = null } = action.payload
      if (find(state.sessions, id)) return
      const startedAt = timeOf(action)
      state.sessions[id] = { id, plan, status: 'running', startedAt, endedAt: null, sets: [], volume: 0 }
      state.activeSession = id
    },
    setLogged(state, action: PayloadAction<{ session: string; set: Omit<LoggedSet, 'at'>; at?: number }>) {
      const session = find(state.sessions, action.payload.session)
      const { id, exercise, reps, weight } = action.payload.set
      if (!session || byId(session.sets, id)) return
      const at = timeOf(action)
      session.sets.push({ id, exercise, reps, weight, at })
      session.volume = volumeOf(session.sets)
      const planned = find(state.plans, session.plan)?.items.find((item) => item.exercise === exercise)
      if (planned && planned.restSeconds > 0) startRest(state, session.id, planned.restSeconds, at)
    },
    setCorrected(state, { payload }: PayloadAction<{ session: string; set: string; reps: number; weight: number }>) {
      const session = find(state.sessions, payload.session)
      const set = session && byId(session.sets, payload.set)
      if (!session || !set) return
      set.reps = payload.reps
      set.weight = payload.weight
      session.volume = volumeOf(session.sets)
    },
    setRemoved(state, { payload }: PayloadAction<{ session: string; set: string }>) {
      const session = find(state.sessions, payload.session)
      if (!session) return
      remove(session.sets, payload.set)
      session.volume = volumeOf(session.sets)
    },
    sessionFinished(state, action: PayloadAction<{ id: string; at?: number }>) {
      const session = find(state.sessions, action.payload.id)
      if (!session) return
      session.status = 'finished'
      session.endedAt = timeOf(action)
      leave(state, session)
      findBests(state, session)
    },
    sessionRemoved(state, { payload }: PayloadAction<{ id: string }>) {
      const session = find(state.sessions, payload.id)
      if (!session) return
      delete state.sessions[session.id]
      leave(state, session)
      findBests(state, session)
    },

    restStarted(state, action: PayloadAction<{ session: string; seconds: number; at?: number }>) {
      const { session, seconds } = action.payload
      if (find(state.sessions, session)) startRest(state, session, seconds, timeOf(action))
    },
    restPaused(state, action: PayloadAction<{ session: string; at?: number }>) {
      const timer = timerOf(state, action.payload.session)
      if (timer && timer.pausedAt === null) timer.pausedAt = timeOf(action)
    },
    restResumed(state, action: PayloadAction<{ session: string; at?: number }>) {
      const timer = timerOf(state, action.payload.session)
      if (!timer || timer.pausedAt === null) return
      // Two devices' clocks may disagree: a pause never lasts less than no time.
      timer.endsAt += Math.max(0, timeOf(action) - timer.pausedAt)
      timer.pausedAt = null
    },
    restSkipped(state, { payload }: PayloadAction<{ session: string }>) {
      if (timerOf(state, payload.session)) state.restTimer = null
    },
  },
})

/** When the action happened; 0 for one that neither says so nor is stamped. */
function timeOf(action: { payload: { at?: number }; meta?: unknown }): number {
  const stamp = (action.meta as { twin?: { at?: number } } | undefined)?.twin
  return action.payload.at ?? stamp?.at ?? 0
}

function startRest(state: WorkoutState, session: string, seconds: number, at: number) {
  state.restTimer = { session, startedAt: at, endsAt: at + seconds * 1_000, pausedAt: null }
}

function timerOf(state: WorkoutState, session: string) {
  return state.restTimer?.session === session ? state.restTimer : undefined
}

function leave(state: WorkoutState, session: Session) {
  if (state.activeSession === session.id) state.activeSession = null
  if (state.restTimer?.session === session.id) state.restTimer = null
}

/** Finds anew the best set of each exercise of this session. */
function findBests(state: WorkoutState, session: Session) {
  for (const id of new Set(session.sets.map((set) => set.exercise))) {
    const exercise = find(state.exercises, id)
    if (!exercise) continue
    let best: (LoggedSet & { session: string }) | null = null
    for (const { id: session, status, sets } of Object.values(state.sessions)) {
      if (status !== 'finished') continue
      for (const set of sets) {
        if (set.exercise === id && (best === null || isBetter({ ...set, session }, best))) best = { ...set, session }
      }
    }
    exercise.best = best && { weight: best.weight, reps: best.reps, session: best.session, set: best.id }
  }
}

/** A total order, so that the winner does not depend on the order in which the sessions are looked at. */
function isBetter(a: LoggedSet & { session: string }, b: LoggedSet & { session: string }): boolean {
  if (a.weight !== b.weight) return a.weight > b.weight
  if (a.reps !== b.reps) return a.reps > b.reps
  if (a.at !== b.at) return a.at < b.at
  if (a.session !== b.session) return a.session < b.session
  return a.id < b.id
}

function volumeOf(sets: LoggedSet[]): number {
  return sets.reduce((sum, set) => sum + set.reps * set.weight, 0)
}

function byId<T extends { id: string }>(list: T[], id: string): T | undefined {
  return list.find((one) => one.id === id)
}

function remove<T extends { id: string }>(list: T[], id: string) {
  const at = list.findIndex((one) => one.id === id)
  if (at >= 0) list.splice(at, 1)
}
