/**
 * Differential fuzzing: random recipes on random states give with `js/produce` what they give with immer: the same values,
 * the same order of keys, the same objects kept, the same frozen, the same kinds of errors, the same seen within the recipe.
 *
 * Immer as models are bundled for the server: in production. `node scripts/fuzz.mjs SECONDS produce` takes that long for each
 * of the tests, with states of its own each time. `TWINSTORE_SEED=N node scripts/test.mjs produce` begins with the seed of a failure.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as ours from '../../js/produce/index'
import { fingerprint, Numbers, REVOKED } from './lib/fingerprint'
import { type Library, type Program, randomProgram, type Trace } from './lib/program'
import { diceOf, isObject, type Kinds, randomValue } from './lib/values'

process.env.NODE_ENV = 'production'
const immer = (await import('immer')) as unknown as Library

const STATES = 700
const SECONDS = Number(process.env.TWINSTORE_FUZZ_SECONDS ?? 0)
const FIRST_SEED = Number(process.env.TWINSTORE_SEED ?? (SECONDS > 0 ? Date.now() % 1e9 : 1_000_000))
const STEPS_MAX = 6

const json: Kinds = { instances: false, symbols: false }
const more: Kinds = { instances: true, symbols: true }

for (const [name, kinds] of [['JSON', json], ['JSON, classes, dates, maps and symbols', more]] as const) {
  for (const freezes of [true, false]) {
    test(`random recipes on ${name}, ${freezes ? '' : 'not '}frozen at first`, (t) => {
      const end = Date.now() + SECONDS * 1000
      let states = 0
      let recipes = 0
      for (; SECONDS > 0 ? Date.now() < end : states < STATES; states++) recipes += compareRuns(FIRST_SEED + states, kinds, freezes)
      t.diagnostic(`${states} states, ${recipes} recipes`)
    })
  }
}

/** One state, and several recipes one after the other on what the one before gave; how many those were. */
function compareRuns(seed: number, kinds: Kinds, freezes: boolean): number {
  const sides: Side[] = [immer, ours as Library].map((library) => ({ library, state: firstState(seed, kinds, freezes), numbers: new Numbers() }))
  const dice = diceOf(seed + 1)
  for (const { state, numbers } of sides) fingerprint(state, numbers)
  let step = 0
  for (; step < STEPS_MAX && isObject(sides[0]!.state); step++) {
    const program = randomProgram(dice, kinds)
    const before = contents(sides[0]!.state)
    const base = sides[0]!.state
    const [theirs, mine] = sides.map((side) => run(program, side))
    // A recipe that reached into the base itself, which is not frozen yet: what its drafts then show is not laid down.
    if (contents(base) !== before) return step
    if (mine !== theirs) assert.fail(`seed ${seed}, recipe ${step}: ${program.names.join(', ')}; ${String(program.result)}\n${firstDifference(mine!, theirs!)}`)
    if (theirs!.includes(REVOKED)) return step + 1
  }
  return step
}

function firstState(seed: number, kinds: Kinds, freezes: boolean) {
  const dice = diceOf(seed)
  for (;;) {
    const state = randomValue(dice, 4, kinds)
    if (immer.isDraftable(state) && !(state instanceof Map)) return freezes ? immer.freeze(state, true) : state
  }
}

interface Side { library: Library; state: any; numbers: Numbers }

/** All that can be seen of a run, as text. */
function run({ steps, result }: Program, side: Side): string {
  const { library, state, numbers } = side
  const trace: Trace = { log: [], leaked: [] }
  let next = state
  try {
    next = library.produce(state, (draft) => {
      for (const step of steps) {
        try {
          step(draft, library, trace)
        } catch (error) {
          if (steps.length > 3 && kindOf(error) === 'boom') throw error
          trace.log.push(kindOf(error))
        }
      }
      return result(draft, library)
    })
  } catch (error) {
    trace.log.push(`thrown: ${kindOf(error)}`)
  }
  const after = [trace.log.join(' | '), 'before', fingerprint(state, numbers), 'after', fingerprint(next, numbers), 'left', ...trace.leaked.map((draft) => useLeaked(draft, library))]
  side.state = next
  return after.join('\n')
}

const contents = (state: unknown) => fingerprint(state, new Numbers()).replaceAll('!', '')

function firstDifference(mine: string, theirs: string): string {
  let at = 0
  while (mine[at] === theirs[at]) at++
  const from = Math.max(0, at - 200)
  return `ours:  …${mine.slice(from, at + 100)}\nimmer: …${theirs.slice(from, at + 100)}`
}

/** A draft that was kept is of no use: each way to use it throws. */
function useLeaked(draft: any, library: Library): string {
  const uses = [() => draft.a, () => { draft.a = 1 }, () => delete draft.a, () => 'a' in draft, () => Object.keys(draft), () => JSON.stringify(draft), () => library.isDraft(draft), () => Object.getPrototypeOf(draft)]
  return uses.map((use) => { try { return typeof use() } catch (error) { return kindOf(error) } }).join()
}

/** Immer's number of an error, `boom`, or the name of its class. */
function kindOf(error: unknown): string {
  const { message } = error as Error
  if (message === 'boom') return 'boom'
  const number = /minified error nr: (\d+)/.exec(message)?.[1]
  if (number !== undefined) return number
  const ours = OURS.findIndex((words) => words !== '' && message.startsWith('[Immer]') && message.includes(words))
  return ours >= 0 ? String(ours) : (error as Error).constructor.name
}

/** By immer's numbers. */
const OURS = ['Map and Set', 'produce takes', 'has been frozen', '', 'one or the other', '', 'first or second argument', 'third argument', 'createDraft takes', 'finishDraft takes', "'current' expects", 'Object.defineProperty', 'Object.setPrototypeOf', '', '', "'original' expects"]
