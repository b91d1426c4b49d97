/** Where two states differ, for people who look for the reason. */

/** More places than this are of no use to anyone. */
const PATHS_MAX = 20
/** Deeper than any state that the server takes. */
const LEVELS_MAX = 500

/** JSON pointers to the values that are not equal; what is undefined is absent, the order of keys says nothing. */
export function differences(before: unknown, after: unknown): string[] {
  const paths: string[] = []
  compare(before, after, '', paths)
  return paths
}

function compare(before: unknown, after: unknown, path: string, paths: string[], level = 0): void {
  if (before === after || paths.length === PATHS_MAX) return
  if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== Array.isArray(after) || level === LEVELS_MAX) return void paths.push(path)
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)]))
    compare(own(before, key), own(after, key), `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, paths, level + 1)
}

const isContainer = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** What every object inherits is no field. */
const own = (value: Record<string, unknown>, key: string) => (Object.hasOwn(value, key) ? value[key] : undefined)
