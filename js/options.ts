/** The options of `createTwin`, checked and completed for the Rust half (`src/host.rs` lists what it reads). */
import { tabsCanAgree } from './tabs.js'
import { REBASE, REMOTE, type TwinOptions, twinError } from './types.js'

/** Where a twin is: none, as long as it is not open. */
export interface Place {
  user: string
  stream: string
}

/** All that stays when a twin goes to another stream. */
export interface Settings {
  url: string | undefined
  /** The app's name for it; empty: the stream's. */
  name: string
  token: TwinOptions<any>['token']
  /** The type of the action that says that the slice changed; empty: none. */
  announce: string
  reducer: (state: any, action: any) => any
  validate: ((state: any, action: any) => unknown) | undefined
  sync: ((action: any) => boolean) | undefined
  coalesce: ((a: any, b: any) => unknown) | undefined
  serverRouted: boolean
  schema: number
  upcast: ((action: any, schema: number) => unknown) | undefined
  migrate: ((state: any, schema: number) => unknown) | undefined
  initial: unknown
  memory: boolean
  strict: boolean
  burst: number
  outboxActions: number
  outboxBytes: number
  actionBytes: number
  actionDepth: number
  undecided: number
}

/** The options of one stream, for as long as it is open. */
export interface Completed extends Settings, Place {
  /** Tells stored data apart, and twins of one page: name, user and stream. */
  key: string
  /** Set when it is opened: each time it is a client of its own. */
  client: string
  /** Twins of one address for which this is equal share a socket. */
  line: string
  /** Whether this tab may lead at once: it is alone, or tabs cannot agree here. */
  leads: boolean
  seed: number
}

const LIMITS = {
  outboxActions: 100_000,
  outboxBytes: 64 << 20,
  actionBytes: 64 << 10,
  actionDepth: 64,
  burst: 64,
  undecided: 1_000,
}

/** As the server has it: docs/PROTOCOL.md. */
// eslint-disable-next-line no-control-regex
const STREAM = /^[A-Za-z][A-Za-z0-9_]{0,63}\/[^\x00-\x1f\x7f]+$/
const STREAM_RULE =
  "`stream` must be `<model>/<name>`: the model's name is a letter followed by up to 63 letters, digits or underscores; the name has at most 200 bytes and no control characters"

/** Throws `bad-option` where an option is missing or of the wrong kind. */
export function complete(given: TwinOptions<any, any>): Settings {
  demand(typeof given === 'object' && given !== null, 'createTwin takes an object of options')
  const { url, name, stream, reducer, validate, storage, schema = 1, announce = false, coalesce, upcast, migrate } = given
  demand(typeof url === 'string' || url === null, "`url` must be given: the server's ws:// or wss:// address, or null to never connect")
  demand(stream !== undefined || (typeof name === 'string' && name !== ''), '`name` must be given where `stream` is not: stored data is kept under it')
  demand(typeof reducer === 'function', '`reducer` must be given: the same (state, action) => state as the server’s model')
  for (const [name, fn] of Object.entries({ validate, coalesce, upcast, migrate })) demand(fn === undefined || typeof fn === 'function', `\`${name}\` must be a function`)
  demand(Number.isInteger(schema) && schema > 0, '`schema` must be a whole number from 1')
  demand(typeof announce === 'boolean' || (typeof announce === 'string' && announce !== REBASE), "`announce` must be true, or an action's type")
  for (const [name, value] of Object.entries(given.limits ?? {}))
    demand(name in LIMITS && Number.isInteger(value) && value! > 0, `limits.${name} must be a known limit, and a whole number from 1`)
  return {
    url: url ?? undefined,
    name: name ?? '',
    token: given.token,
    announce: announce === true ? REMOTE : announce || '',
    reducer,
    validate: validate as Completed['validate'],
    sync: rule(given.sync),
    coalesce,
    upcast: upcast as Completed['upcast'],
    migrate,
    serverRouted: given.routing === 'server',
    schema,
    initial: given.snapshot?.state,
    memory: storage === 'memory',
    strict: given.durability === 'strict',
    ...LIMITS,
    ...given.limits,
  }
}

/** Where `createTwin` or `open` leads, from where one is. Throws `bad-option`. */
export function placeOf(given: { user?: string; stream?: string }, before?: Place): Place {
  const { user = before?.user ?? '', stream = before?.stream } = given
  demand(typeof stream === 'string' && STREAM.test(stream) && new TextEncoder().encode(stream).length <= 265, STREAM_RULE)
  demand(typeof user === 'string', '`user` must be text')
  return { user, stream }
}

/** Tells twins apart, and what is stored of them; without a place: a twin that is not open. */
export const keyOf = (name: string, place?: Place) =>
  (place ? [name || place.stream, place.user, place.stream] : [name]).map(encodeURIComponent).join('/')

/** The options of a stream that is being opened. */
export function optionsAt(settings: Settings, place: Place): Completed {
  const leads = settings.memory || !tabsCanAgree()
  return { ...settings, ...place, key: keyOf(settings.name, place), client: '', line: place.user, leads, seed: Math.random() }
}

/** Those of a twin that is not open: it shows the initial state, and takes no action. */
export function optionsNowhere(settings: Settings): Completed {
  const refuse = () => {
    throw twinError('not-open', 'no stream is open: give `stream` to createTwin, or call open({ stream }) first')
  }
  const nowhere = { url: undefined, memory: true, validate: refuse, coalesce: undefined }
  return { ...optionsAt({ ...settings, ...nowhere }, { user: '', stream: '' }), key: keyOf(settings.name) }
}

function rule(sync: TwinOptions<any>['sync']): Completed['sync'] {
  if (sync === undefined || typeof sync === 'function') return sync
  const prefixes = [sync].flat() as unknown[]
  demand(prefixes.every(prefix => typeof prefix === 'string'), '`sync` is a type prefix, a list of them, or a predicate')
  return action => prefixes.some(prefix => action.type.startsWith(prefix))
}

function demand(holds: boolean, message: string): asserts holds {
  if (!holds) throw twinError('bad-option', message)
}
