/** Seeded chance, and JSON that nobody asked for: golden frames with something changed in them, or anything. */
import { readdirSync, readFileSync } from 'node:fs'
import { at } from '../../../scripts/lib/paths.mjs'

const golden = readdirSync(at('tests/wire/v1')).map(file => JSON.parse(readFileSync(at('tests/wire/v1', file), 'utf8')))

/** What servers say, one of each. */
export const SERVERS = golden.filter(({ t }) => ['welcome', 'events', 'snapshot', 'verdicts', 'refused', 'pong', 'error'].includes(t))

/** Chance, the same for the same seed (splitmix32). `roll(n)`: from 0 to n - 1. */
export function chanceOf(seed) {
  const roll = sides => {
    seed = (seed + 0x9e3779b9) | 0
    let z = seed
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) % sides
  }
  return { roll, pick: list => list[roll(list.length)], oneIn: sides => roll(sides) === 0 }
}

const deep = levels => JSON.parse('['.repeat(levels) + ']'.repeat(levels))
const ANY = [
  null, true, false, 0, 1, 2, -1, 0.5, 1e300, 2 ** 53 - 1, 2 ** 53, '', 'x', '__proto__', '\ud800', 'x'.repeat(300), [], {}, [null], [[]], [{}],
  { type: 'add' }, { length: 5 }, { toJSON: 1 }, { then: 1 }, JSON.parse('{"__proto__":{"type":"t"},"constructor":1}'), deep(100),
]

/** Any JSON value. */
export const anything = chance => structuredClone(chance.pick(ANY))

/** A copy of a value with some of its parts replaced, missing or doubled. */
export function changed(chance, value) {
  const copy = { whole: structuredClone(value) }
  for (let i = chance.roll(3); i >= 0; i--) change(chance, copy, 'whole')
  return copy.whole
}

function change(chance, holder, key) {
  const value = holder[key]
  const keys = typeof value === 'object' && value !== null ? Object.keys(value) : []
  if (keys.length === 0 || chance.oneIn(8)) holder[key] = anything(chance)
  else if (chance.oneIn(8)) delete value[chance.pick(keys)]
  else if (Array.isArray(value) && chance.oneIn(6)) value.push(structuredClone(chance.pick(value)))
  else change(chance, value, chance.pick(keys))
}

/** A text: JSON of something like `value`, torn JSON, or none at all. */
export function textLike(chance, value) {
  const text = JSON.stringify(chance.oneIn(4) ? value : changed(chance, value)) ?? ''
  if (!chance.oneIn(8)) return text
  const from = chance.roll(text.length + 1)
  return text.slice(0, from) + chance.pick(['', '"', '\\', '{', ',', '\u0000']) + text.slice(from + chance.roll(8))
}

/** Runs `attempt` with each of `count` seeds, or as long as TWINSTORE_FUZZ_SECONDS says; a failure names its seed. */
export async function eachSeed(count, attempt) {
  const seconds = Number(process.env.TWINSTORE_FUZZ_SECONDS ?? 0)
  const first = seconds ? Math.floor(Math.random() * 2 ** 31) : 1
  const until = Date.now() + seconds * 1000
  let seed = first
  for (; seconds ? Date.now() < until : seed < first + count; seed++)
    try {
      await attempt(chanceOf(seed), seed)
    } catch (error) {
      throw new Error(`seed ${seed}: ${error.message}`, { cause: error })
    }
  return seed - first
}
