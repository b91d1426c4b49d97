/** What an action must look like, whatever the state: the ground that reducer and `validate` stand on. */
import { MUSCLES } from './state'
import { workout } from './slice'

/** An action from outside: nothing about it is known. */
export interface Incoming {
  type: string
  payload?: any
  [key: string]: unknown
}

/** What is wrong with the action; undefined = nothing. Foreign types are none of this model's. */
export function malformed(action: Incoming): string | undefined {
  const name = nameOf(action)
  if (name === undefined) return `unknown action ${JSON.stringify(String(action?.type).slice(0, 64))}`
  if (!isObject(action.payload)) return 'payload is missing'
  return shapes[name](action.payload)
}

export type Name = keyof typeof workout.actions

/** The action's name in the slice; undefined = not the slice's. */
export function nameOf(action: Incoming): Name | undefined {
  const [slice, name, ...rest] = String(action?.type).split('/')
  const known = slice === workout.name && name !== undefined && rest.length === 0 && Object.hasOwn(shapes, name)
  return known ? (name as Name) : undefined
}

type Shape = (payload: any) => string | undefined

const shapes: Record<Name, Shape> = {
  exerciseAdded: (p) => id(p.id) ?? text(p.name, 'name') ?? muscle(p.muscle),
  exerciseRenamed: (p) => id(p.id) ?? text(p.name, 'name'),
  exerciseArchived: (p) => id(p.id),
  planAdded: (p) => id(p.id) ?? text(p.name, 'name'),
  planRenamed: (p) => id(p.id) ?? text(p.name, 'name'),
  planItemAdded: (p) => id(p.id) ?? planItem(p.item),
  planItemMoved: (p) => id(p.id) ?? id(p.item, 'item') ?? count(p.to, 'to', 0, 1_000),
  planItemRemoved: (p) => id(p.id) ?? id(p.item, 'item'),
  planRemoved: (p) => id(p.id),
  sessionStarted: (p) => id(p.id) ?? (p.plan === undefined ? undefined : id(p.plan, 'plan')) ?? time(p.at),
  setLogged: (p) => id(p.session, 'session') ?? set(p.set) ?? time(p.at),
  setCorrected: (p) => id(p.session, 'session') ?? id(p.set, 'set') ?? effort(p),
  setRemoved: (p) => id(p.session, 'session') ?? id(p.set, 'set'),
  sessionFinished: (p) => id(p.id) ?? time(p.at),
  sessionRemoved: (p) => id(p.id),
  restStarted: (p) => id(p.session, 'session') ?? count(p.seconds, 'seconds', 1, 3_600) ?? time(p.at),
  restPaused: (p) => id(p.session, 'session') ?? time(p.at),
  restResumed: (p) => id(p.session, 'session') ?? time(p.at),
  restSkipped: (p) => id(p.session, 'session'),
}

const planItem: Shape = (item) =>
  isObject(item)
    ? (id(item.id, 'item id') ??
      id(item.exercise, 'exercise') ??
      count(item.sets, 'sets', 1, 100) ??
      count(item.reps, 'reps', 1, 1_000) ??
      count(item.restSeconds, 'restSeconds', 0, 3_600))
    : 'item is missing'

const set: Shape = (set) =>
  isObject(set) ? (id(set.id, 'set id') ?? id(set.exercise, 'exercise') ?? effort(set)) : 'set is missing'

const effort: Shape = ({ reps, weight }) => count(reps, 'reps', 1, 1_000) ?? count(weight, 'weight', 0, 1_000_000)

const muscle: Shape = (muscle) => (MUSCLES.includes(muscle) ? undefined : `muscle must be one of ${MUSCLES.join(', ')}`)

const time: Shape = (at) => (at === undefined ? undefined : count(at, 'at', 0, Number.MAX_SAFE_INTEGER))

/** `__proto__` is refused: as a key of plain objects it means something else in too many places. */
function id(value: unknown, name = 'id'): string | undefined {
  if (value === undefined || value === null || value === '') return `${name} is missing`
  if (typeof value !== 'string') return `${name} must be a string`
  if (value.length > 64) return `${name} is longer than 64 characters`
  return value === '__proto__' ? `${name} must not be __proto__` : undefined
}

function text(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return `${name} is missing`
  if (typeof value !== 'string') return `${name} must be a string`
  if (value.trim() === '') return `${name} is missing`
  return value.length > 200 ? `${name} is longer than 200 characters` : undefined
}

function count(value: unknown, name: string, min: number, max: number): string | undefined {
  if (value === undefined || value === null) return `${name} is missing`
  if (typeof value !== 'number' || !Number.isInteger(value)) return `${name} must be a whole number`
  if (value < min) return `${name} must be at least ${min}, not ${value}`
  return value > max ? `${name} must be at most ${max}, not ${value}` : undefined
}

function isObject(value: unknown): value is Record<string, any> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
