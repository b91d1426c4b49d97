/** What goes wrong, in immer's kinds: its numbers are the names, since code and searches know its messages. */
const REASONS = {
  unsupported: (what: string) => `${what} are not in twinstore's produce. Bundle this model with immer itself: without the alias`,
  notDraftable: (what: string) => `produce takes plain objects, arrays and classes marked with [immerable]. It got '${what}'`,
  frozen: () => 'This object has been frozen and should not be mutated',
  returnedAndModified: () => 'A recipe returned a new value *and* modified its draft. It does one or the other',
  noRecipe: () => 'The first or second argument to produce must be a function',
  noListener: () => 'The third argument to produce must be a function or undefined',
  notCreatable: () => 'createDraft takes a plain object, an array, or an immerable object',
  notCreated: () => 'finishDraft takes a draft that createDraft returned',
  currentOfNoDraft: (what: string) => `'current' expects a draft, got: ${what}`,
  originalOfNoDraft: (what: string) => `'original' expects a draft, got: ${what}`,
  defineProperty: () => 'Object.defineProperty() cannot be used on a draft',
  setPrototypeOf: () => 'Object.setPrototypeOf() cannot be used on a draft',
}

export function fail(reason: keyof typeof REASONS, what: unknown = ''): never {
  throw new Error(`[Immer] ${REASONS[reason](nameOf(what))}`)
}

const nameOf = (what: unknown): string => (typeof what === 'object' && what !== null ? Object.prototype.toString.call(what) : String(what))
