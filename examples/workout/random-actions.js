/** Random workout actions for tests: a plausible life in a gym, with refused, malformed and foreign actions in it. */
import { seeded } from '../random.js'

/** `count` actions; the same seed gives the same ones. */
export function randomActions(seed, count) {
  const world = { random: seeded(seed), exercises: [], plans: [], items: [], sets: [], running: undefined, now: 1_767_225_600_000 }
  return Array.from({ length: count }, (_, at) => next(world, at))
}

function next(world, at) {
  const { random } = world
  world.now += random.between(1_000, 180_000)
  if (random.chance(0.05)) return structuredClone(random.pick(ODD))
  if (world.exercises.length < 3) return exerciseAdded(world, at)
  if (world.running === undefined && random.chance(0.6)) return random.chance(0.2) ? sessionRemoved(world) : sessionStarted(world, at)
  return random.weighted(MOVES)(world, at)
}

function exerciseAdded(world, at) {
  const { random } = world
  const id = fresh(world, world.exercises, `e${at}`)
  return action('exerciseAdded', { id, name: random.pick(NAMES), muscle: random.pick(MUSCLES) })
}

function planAdded(world, at) {
  return action('planAdded', { id: fresh(world, world.plans, `p${at}`), name: world.random.pick(NAMES) })
}

function planItemAdded(world, at) {
  const { random } = world
  const item = {
    id: fresh(world, world.items, `i${at}`),
    exercise: some(world, world.exercises),
    sets: random.between(1, 6),
    reps: random.between(3, 20),
    restSeconds: random.pick([0, 60, 90, 180]),
  }
  return action('planItemAdded', { id: some(world, world.plans), item })
}

function sessionStarted(world, at) {
  // While one is running another is refused.
  const id = `s${at}`
  if (world.running === undefined) Object.assign(world, { running: id, logged: 0 })
  const plan = world.plans.length > 0 && world.random.chance(0.7) ? { plan: world.plans[world.plans.length - 1] } : {}
  return timed(world, 'sessionStarted', { id, ...plan })
}

function sessionFinished(world) {
  const id = session(world)
  // With a few sets in it the model lets it end.
  if (id === world.running && world.logged > 2) leave(world)
  return timed(world, 'sessionFinished', { id })
}

/** The last one, so that a session which the model did not let end stands in nobody's way for long. */
function sessionRemoved(world) {
  const id = world.running ?? world.left ?? 's3'
  leave(world)
  return action('sessionRemoved', { id })
}

function leave(world) {
  world.left = world.running ?? world.left
  world.running = undefined
}

function setLogged(world, at) {
  const { random } = world
  // Some numbers are out of bounds.
  const reps = random.chance(0.02) ? 0 : random.between(1, 15)
  const exercise = some(world, world.exercises)
  const set = { id: fresh(world, world.sets, `x${at}`), exercise, reps, weight: random.between(0, 400) * 500 }
  world.logged += 1
  return timed(world, 'setLogged', { session: session(world), set })
}

function setCorrected(world) {
  const { random } = world
  const set = some(world, world.sets)
  return action('setCorrected', { session: session(world), set, reps: random.between(1, 15), weight: random.between(0, 400) * 500 })
}

const MOVES = [
  [3, exerciseAdded],
  [1, (world) => action('exerciseRenamed', { id: some(world, world.exercises), name: world.random.pick(NAMES) })],
  [0.2, (world) => action('exerciseArchived', { id: gone(world, world.exercises) })],
  [2, planAdded],
  [5, planItemAdded],
  [0.5, (world) => action('planRenamed', { id: some(world, world.plans), name: world.random.pick(NAMES) })],
  [1, (world) => action('planItemMoved', { id: some(world, world.plans), item: some(world, world.items), to: world.random.below(4) })],
  [1, (world) => action('planItemRemoved', { id: some(world, world.plans), item: some(world, world.items) })],
  [0.4, (world) => action('planRemoved', { id: gone(world, world.plans) })],
  [0.5, sessionStarted],
  [24, setLogged],
  [2, setCorrected],
  [1, (world) => action('setRemoved', { session: session(world), set: some(world, world.sets) })],
  [3, sessionFinished],
  [0.4, sessionRemoved],
  [4, (world) => timed(world, 'restStarted', { session: session(world), seconds: world.random.between(0, 240) })],
  [2, (world) => timed(world, 'restPaused', { session: session(world) })],
  [2, (world) => timed(world, 'restResumed', { session: session(world) })],
  [1, (world) => action('restSkipped', { session: session(world) })],
]

const action = (name, payload) => ({ type: `workout/${name}`, payload })

/** Mostly with the user's time, sometimes without, so that the stamp's counts. */
function timed(world, name, payload) {
  return action(name, world.random.chance(0.8) ? { ...payload, at: world.now } : payload)
}

/** Now and then one that never was, or is over long since. */
function session(world) {
  return world.running === undefined || world.random.chance(0.02) ? 's3' : world.running
}

/** A new id, or now and then one that is taken. */
function fresh(world, ids, id) {
  if (ids.length > 0 && world.random.chance(0.04)) return world.random.pick(ids)
  ids.push(id)
  return id
}

/** One of the last ids; the sets of actions on one thing then belong together. Now and then one that never was. */
function some(world, ids) {
  if (ids === undefined || ids.length === 0 || world.random.chance(0.02)) return 'nobody'
  const back = world.random.weighted([[6, 1], [2, 2], [1, 6]])
  return ids[Math.max(0, ids.length - world.random.between(1, back))]
}

/** One of the ids, which is not asked for again. */
function gone(world, ids) {
  return ids.length === 0 ? 'nobody' : ids.splice(world.random.below(ids.length), 1)[0]
}

const MUSCLES = ['legs', 'back', 'chest', 'shoulders', 'arms', 'core']
const NAMES = ['Squat', 'Bench press', 'Rudern', 'Développé couché', '引体向上', 'Pull day 💪']
const ODD = [
  { type: 'workout/exerciseAdded' },
  { type: 'workout/exerciseAdded', payload: { id: '__proto__', name: 'Squat', muscle: 'legs' } },
  { type: 'workout/exerciseAdded', payload: { id: 'constructor', name: 'Squat', muscle: 'legs' } },
  { type: 'workout/exerciseAdded', payload: { id: 'e1', name: 'Squat', muscle: 'wings' } },
  { type: 'workout/sessionStarted', payload: { id: 's', at: -1 } },
  { type: 'workout/setLogged', payload: { session: 'toString', set: null } },
  { type: 'workout/planRemoved', payload: { id: 'constructor' } },
  { type: 'workout/frobnicated', payload: {} },
  { type: 'workout/__proto__', payload: {} },
  { type: 'ui/toggled', payload: { open: true } },
]
