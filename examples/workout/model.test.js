/** Tests of the workout model, as bundled: transitions, the rest timer, bests, reasons, identity, random walks. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import vm from 'node:vm'
import { buildModels } from '../build.js'
import { canonical, deepFreeze, fold } from '../testing.js'
import { randomActions } from './random-actions.js'

await buildModels()
const { default: reducer, actions, initialState, records, restLeft, schema, validate } = await import('./dist/model.js')

const MINUTE = 60_000
const squat = actions.exerciseAdded({ id: 'squat', name: 'Squat', muscle: 'legs' })
const row = actions.exerciseAdded({ id: 'row', name: 'Row', muscle: 'back' })
const plan = actions.planAdded({ id: 'a', name: 'Plan A' })
const item = (id, exercise = 'squat') =>
  actions.planItemAdded({ id: 'a', item: { id, exercise, sets: 5, reps: 5, restSeconds: 180 } })
const start = (id, at = 0) => actions.sessionStarted({ id, plan: 'a', at })
const log = (session, id, reps, weight, at = 0) =>
  actions.setLogged({ session, set: { id, exercise: 'squat', reps, weight }, at })
const finish = (id, at = 0) => actions.sessionFinished({ id, at })

const gym = [squat, row, plan, item('1')]
const after = (...more) => deepFreeze(fold(reducer, more))

test('a session from start to end, with its volume and the exercise’s best', () => {
  const state = after(...gym, start('s', 1_000), log('s', 'x', 5, 100_000), log('s', 'y', 3, 110_000), finish('s', 9_000))
  const session = state.sessions.s
  assert.equal(session.status, 'finished')
  assert.deepEqual([session.startedAt, session.endedAt, session.volume], [1_000, 9_000, 830_000])
  assert.equal(state.activeSession, null)
  assert.deepEqual(state.exercises.squat.best, { weight: 110_000, reps: 3, session: 's', set: 'y' })
})

test('the best falls back when its session is removed', () => {
  const both = after(...gym, start('s'), log('s', 'x', 5, 100_000), finish('s'), start('t'), log('t', 'x', 1, 120_000), finish('t'))
  assert.equal(both.exercises.squat.best.session, 't')
  assert.equal(reducer(both, actions.sessionRemoved({ id: 't' })).exercises.squat.best.session, 's')
})

test('the best does not depend on the order of the keys', () => {
  const walk = [...gym, start('s'), log('s', 'x', 5, 1), finish('s'), start('t'), log('t', 'x', 5, 1), finish('t')]
  const state = after(...walk)
  const { s, t } = state.sessions
  const turned = { ...state, sessions: { t, s } }
  const more = [start('u'), log('u', 'x', 1, 1), finish('u')]
  assert.equal(canonical(fold(reducer, more, state)), canonical(fold(reducer, more, turned)))
})

test('a planned set starts the rest; what is left follows from times, not from a clock', () => {
  const state = after(...gym, start('s'), log('s', 'x', 5, 100_000, 10 * MINUTE))
  assert.deepEqual(state.restTimer, { session: 's', startedAt: 10 * MINUTE, endsAt: 13 * MINUTE, pausedAt: null })
  assert.equal(restLeft(state.restTimer, 12 * MINUTE), MINUTE)
  assert.equal(restLeft(state.restTimer, 20 * MINUTE), 0)
  const paused = reducer(state, actions.restPaused({ session: 's', at: 11 * MINUTE }))
  assert.equal(restLeft(paused.restTimer, 30 * MINUTE), 2 * MINUTE)
  const resumed = reducer(paused, actions.restResumed({ session: 's', at: 15 * MINUTE }))
  assert.equal(resumed.restTimer.endsAt, 17 * MINUTE)
  assert.equal(reducer(resumed, actions.restSkipped({ session: 's' })).restTimer, null)
})

test('without a time of the user’s the stamp’s counts', () => {
  const stamped = { ...actions.sessionStarted({ id: 's' }), meta: { twin: { at: 77 } } }
  assert.equal(after(stamped).sessions.s.startedAt, 77)
  assert.equal(after(actions.sessionStarted({ id: 's' })).sessions.s.startedAt, 0)
})

test('plan items are added, moved, removed', () => {
  const state = after(...gym, item('2', 'row'), actions.planItemMoved({ id: 'a', item: '2', to: 0 }))
  assert.deepEqual(state.plans.a.items.map(({ id }) => id), ['2', '1'])
  assert.deepEqual(reducer(state, actions.planItemRemoved({ id: 'a', item: '2' })).plans.a.items.map(({ id }) => id), ['1'])
})

test('every refusal has a reason that a person understands', () => {
  const idle = after(...gym)
  const busy = after(...gym, start('s'), log('s', 'x', 5, 100_000))
  const cases = [
    [idle, squat, 'exercise squat exists already'],
    [idle, actions.exerciseAdded({ id: 'x', name: '', muscle: 'legs' }), 'name is missing'],
    [idle, actions.exerciseAdded({ id: 'x', name: 'X', muscle: 'wings' }), /^muscle must be one of legs, /],
    [idle, item('1'), 'plan a has an item 1 already'],
    [idle, item('2', 'fly'), 'there is no exercise fly'],
    [idle, actions.planItemMoved({ id: 'a', item: '1', to: 5 }), 'plan a has no place 5'],
    [idle, actions.sessionStarted({ id: 's', plan: 'b' }), 'there is no plan b'],
    [idle, finish('s'), 'there is no session s'],
    [busy, start('t'), 'session s is still running'],
    [busy, log('s', 'x', 5, 1), 'session s has a set x already'],
    [busy, log('s', 'z', 0, 1), 'reps must be at least 1, not 0'],
    [busy, log('s', 'z', 1, 2.5), 'weight must be a whole number'],
    [busy, actions.planRemoved({ id: 'a' }), 'plan a is in use by session s'],
    [busy, actions.restResumed({ session: 's' }), 'the rest is not paused'],
    [reducer(busy, finish('s')), log('s', 'z', 5, 1), 'session s is finished'],
    [reducer(busy, actions.setRemoved({ session: 's', set: 'x' })), finish('s'), 'session s has no sets'],
    [reducer(busy, actions.exerciseArchived({ id: 'squat' })), log('s', 'z', 5, 1), 'exercise squat is archived'],
    [busy, { type: 'workout/frobnicated', payload: {} }, 'unknown action "workout/frobnicated"'],
    [busy, { type: 'workout/setLogged' }, 'payload is missing'],
  ]
  for (const [state, action, reason] of cases) {
    const said = validate(state, action)
    if (reason instanceof RegExp) assert.match(said, reason)
    else assert.equal(said, reason)
  }
})

test('what does not apply gives back the very state', () => {
  const state = after(...gym)
  const idle = [
    { type: '@@redux/INIT' },
    { type: 'workout/toString', payload: {} },
    squat,
    { type: 'workout/exerciseAdded' },
    actions.exerciseAdded({ id: '__proto__', name: 'X', muscle: 'legs' }),
    actions.planRemoved({ id: 'constructor' }),
    finish('nobody'),
    undefined,
  ]
  for (const action of idle) assert.equal(reducer(state, action), state)
  assert.deepEqual(reducer(undefined, { type: '@@redux/INIT' }), initialState)
})

test('records: one per thing, and what is going on now', () => {
  const state = after(...gym, start('s'))
  assert.deepEqual(Object.keys(records(state)), ['exercise/squat', 'exercise/row', 'plan/a', 'session/s', 'now'])
  assert.equal(records(state)['session/s'], state.sessions.s)
  assert.equal(schema, 1)
})

test('random walks: deterministic, total, some of it refused, and most kinds of action taken', () => {
  assert.deepEqual(randomActions(3, 300), randomActions(3, 300))
  let [bold, careful] = [deepFreeze(initialState), deepFreeze(initialState)]
  const taken = new Set()
  let refused = 0
  for (const action of deepFreeze(randomActions(3, 3_000))) {
    bold = reducer(bold, action)
    if (validate(careful, action) !== undefined) refused += 1
    else if (reducer(careful, action) !== careful) {
      careful = reducer(careful, action)
      taken.add(action.type)
    }
  }
  assert.ok(refused > 300 && refused < 1_800, `${refused} of 3,000 were refused`)
  assert.ok(Object.keys(careful.sessions).length > 20)
  const never = Object.values(actions).map(({ type }) => type).filter((type) => !taken.has(type))
  assert.deepEqual(never, [])
})

test('the bundle needs nothing but the language: no window, no process, no timers', async () => {
  const source = await readFile(new URL('./dist/model.js', import.meta.url), 'utf8')
  assert.doesNotMatch(source, /^\s*import\b/m)
  const bare = vm.createContext(vm.constants?.DONT_CONTEXTIFY ?? {})
  const script = source.replace(/export\s*\{([^}]*)\};?\s*$/, (_, names) => {
    const [, name] = names.match(/(\w+) as default/)
    return `${name}`
  })
  const inside = vm.runInContext(script, bare)
  const walk = randomActions(5, 500)
  assert.equal(canonical(fold((state, action) => inside(state, action), walk)), canonical(fold(reducer, walk)))
})
