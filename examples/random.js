/** A seeded source of randomness for the generators of actions: the same seed gives the same actions on every engine. */

/** mulberry32: small, whole-number arithmetic only, good enough to wander through a model. */
export function seeded(seed) {
  let a = seed >>> 0
  const unit = () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (n) => Math.floor(unit() * n)
  const between = (min, max) => min + below(max - min + 1)
  const pick = (list) => list[below(list.length)]
  const chance = (p) => unit() < p
  /** Draws from `[weight, value]` pairs. */
  const weighted = (pairs) => {
    let left = unit() * pairs.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, value] of pairs) if ((left -= weight) < 0) return value
    return pairs[pairs.length - 1][1]
  }
  return { unit, below, between, pick, chance, weighted }
}
