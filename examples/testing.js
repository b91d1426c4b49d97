/** What the tests of the models share. */

/** Freezes all of it: a reducer that writes to what it was given then throws. */
export function deepFreeze(value) {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(deepFreeze)
  }
  return value
}

export function fold(reducer, actions, state = undefined) {
  return actions.reduce(reducer, state)
}

/** JSON with sorted keys and without −0: equal for equal states, whatever the engine and the order of the keys. */
export function canonical(value) {
  return JSON.stringify(value, (_key, inner) => {
    if (typeof inner === 'number') return inner === 0 ? 0 : inner
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.keys(inner).sort().map((key) => [key, inner[key]]))
  })
}
