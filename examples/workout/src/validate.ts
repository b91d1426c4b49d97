/** Which actions a state allows, and the reason where it does not. */
import { malformed, nameOf, type Incoming, type Name } from './shape'
import { find, initialState, type ById, type Exercise, type Session, type WorkoutState } from './state'

/** Why the action may not be applied to this state; undefined = it may. */
export function validate(state: WorkoutState = initialState, action: Incoming): string | undefined {
  const reason = malformed(action)
  if (reason !== undefined) return reason
  return rules[nameOf(action) as Name](state, action.payload)
}

type Rule = (state: WorkoutState, payload: any) => string | undefined

const rules: Record<Name, Rule> = {
  exerciseAdded: (state, { id }) => isNew(state.exercises, 'exercise', id),
  exerciseRenamed: (state, { id }) => exists(state.exercises, 'exercise', id),
  exerciseArchived: (state, { id }) => usable(state, id),
  planAdded: (state, { id }) => isNew(state.plans, 'plan', id),
  planRenamed: (state, { id }) => exists(state.plans, 'plan', id),
  planItemAdded: (state, { id, item }) =>
    exists(state.plans, 'plan', id) ??
    (has(find(state.plans, id)!.items, item.id) ? `plan ${id} has an item ${item.id} already` : undefined) ??
    usable(state, item.exercise),
  planItemMoved: (state, { id, item, to }) =>
    planItem(state, id, item) ??
    (to >= find(state.plans, id)!.items.length ? `plan ${id} has no place ${to}` : undefined),
  planItemRemoved: (state, { id, item }) => planItem(state, id, item),
  planRemoved: (state, { id }) => exists(state.plans, 'plan', id) ?? notInUse(state, id),
  sessionStarted: (state, { id, plan }) =>
    isNew(state.sessions, 'session', id) ??
    (state.activeSession === null ? undefined : `session ${state.activeSession} is still running`) ??
    (plan === undefined ? undefined : exists(state.plans, 'plan', plan)),
  setLogged: (state, { session, set }) =>
    running(state, session) ??
    (has(find(state.sessions, session)!.sets, set.id) ? `session ${session} has a set ${set.id} already` : undefined) ??
    usable(state, set.exercise),
  setCorrected: (state, { session, set }) => loggedSet(state, session, set),
  setRemoved: (state, { session, set }) => loggedSet(state, session, set),
  sessionFinished: (state, { id }) =>
    running(state, id) ?? (find(state.sessions, id)!.sets.length === 0 ? `session ${id} has no sets` : undefined),
  sessionRemoved: (state, { id }) => exists(state.sessions, 'session', id),
  restStarted: (state, { session }) => running(state, session),
  restPaused: (state, { session }) =>
    resting(state, session) ?? (state.restTimer!.pausedAt === null ? undefined : 'the rest is paused already'),
  restResumed: (state, { session }) =>
    resting(state, session) ?? (state.restTimer!.pausedAt === null ? 'the rest is not paused' : undefined),
  restSkipped: (state, { session }) => resting(state, session),
}

function isNew(byId: ById<unknown>, what: string, id: string) {
  return find(byId, id) === undefined ? undefined : `${what} ${id} exists already`
}

function exists(byId: ById<unknown>, what: string, id: string) {
  return find(byId, id) === undefined ? `there is no ${what} ${id}` : undefined
}

function usable(state: WorkoutState, id: string) {
  const exercise: Exercise | undefined = find(state.exercises, id)
  if (exercise === undefined) return `there is no exercise ${id}`
  return exercise.archived ? `exercise ${id} is archived` : undefined
}

function planItem(state: WorkoutState, id: string, item: string) {
  const plan = find(state.plans, id)
  if (plan === undefined) return `there is no plan ${id}`
  return has(plan.items, item) ? undefined : `plan ${id} has no item ${item}`
}

function notInUse(state: WorkoutState, plan: string) {
  const active = find(state.sessions, state.activeSession)
  return active?.plan === plan ? `plan ${plan} is in use by session ${active.id}` : undefined
}

function running(state: WorkoutState, id: string) {
  const session: Session | undefined = find(state.sessions, id)
  if (session === undefined) return `there is no session ${id}`
  return session.status === 'running' ? undefined : `session ${id} is finished`
}

function loggedSet(state: WorkoutState, session: string, set: string) {
  const reason = running(state, session)
  if (reason !== undefined) return reason
  return has(find(state.sessions, session)!.sets, set) ? undefined : `session ${session} has no set ${set}`
}

function resting(state: WorkoutState, session: string) {
  return running(state, session) ?? (state.restTimer?.session === session ? undefined : 'no rest is running')
}

function has(list: readonly { id: string }[], id: string): boolean {
  return list.some((one) => one.id === id)
}
