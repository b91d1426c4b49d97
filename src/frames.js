/**
 * Frames of the wire (docs/PROTOCOL.md): what comes is checked before `codec.rs` reads it, what goes is put
 * together. Actions travel as the text that was made of them once.
 */
import { textOf } from './web.js'

const isText = value => typeof value === 'string'
const isCount = value => Number.isInteger(value) && value >= 0
const isList = (value, isItem) => Array.isArray(value) && value.every(isItem)
const isError = value => isText(value?.code) && isText(value?.reason)
const isVerdict = row => isText(row?.client) && isCount(row.n) && isCount(row.seq) && (row.error === undefined || isError(row.error))
const isRejection = row => isCount(row?.n) && isCount(row.seq) && isError(row)
const isClient = row => isText(row?.client) && isCount(row.last) && (row.rejections === undefined || isList(row.rejections, isRejection))
const isCheck = value => isCount(value?.schema) && isCount(value.sum)
const isLimits = value => value && ['action_bytes', 'action_depth', 'batch_actions', 'batch_bytes', 'frame_bytes'].every(key => isCount(value[key]))

/** Of each message, whether it has what `codec.rs` reads (docs/PROTOCOL.md). */
const FRAMES = {
  welcome: f => isCount(f.head) && isCount(f.schema) && isCount(f.ping_ms) && isList(f.clients, isClient) && isLimits(f.limits),
  events: f => isText(f.log) && isCount(f.after) && isList(f.events, isEvent) && (f.check === undefined || isCheck(f.check)),
  snapshot: f => isCount(f.seq) && isText(f.chain) && isCount(f.part) && isCount(f.parts) && isText(f.data),
  verdicts: f => isList(f.verdicts, isVerdict),
  refused: f => isText(f.client) && isCount(f.n) && isCount(f.last) && isText(f.code),
  pong: f => isCount(f.head),
  error: f => isText(f.code),
}

function isEvent(event) {
  return isCount(event?.seq) && isText(event.chain) && (event.client === undefined || isVerdict(event))
}

/** A frame that came; null: it is no message of the protocol. */
export function frameOf(text) {
  const frame = jsonOf(text)
  return Object.hasOwn(FRAMES, frame?.t) && FRAMES[frame.t](frame) ? frame : null
}

/** The body of a snapshot, from its pieces; null: it is none. */
export function snapshotOf(pieces) {
  const body = jsonOf(pieces.join(''))
  if (body?.state === undefined || !isList(body.clients, isClient)) return null
  body.rejections = body.clients.flatMap(({ client, rejections = [] }) => rejections.map(({ n, seq, ...error }) => ({ client, n, seq, error })))
  return body
}

function jsonOf(text) {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** The frame that asks for events: a hello, or a pull. */
export function askText(t, stream, cursor, clients, hello) {
  return JSON.stringify({ t, stream, cursor: cursor ?? null, clients, ...hello })
}

/** What a hello says besides. */
export function helloRow(v, min, schema, token) {
  return { v, min, schema, token }
}

/** A cursor as it travels; `schema` where the state is that of an older app. */
export function cursorRow(log, seq, chain, schema) {
  return { log, seq, chain, schema }
}

/** A client whose verdicts are waited for. */
export function waitingRow(client, from) {
  return { client, from }
}

/** A frame of entries. */
export function pushText(stream, entries) {
  return `{"t":"push","stream":${JSON.stringify(stream)},"entries":[${entries.join()}]}`
}

/** An entry on its way; `from` and `schema` where they say something. */
export function entryText(client, n, from, schema, action) {
  const head = JSON.stringify({ client, n, from, schema })
  return `${head.slice(0, -1)},"action":${textOf(action)}}`
}

/** A frame that says nothing else. */
export function plainText(t, stream) {
  return JSON.stringify({ t, stream })
}
