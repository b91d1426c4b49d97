/** A stream's past: its states by a slider, each event with what it changed. The address says where one is. */
import { ask } from './access.js'
import { byId, count, element } from './dom.js'

const WAIT_MS = 120
const STATE_CHARS = 200_000
const VALUE_CHARS = 400

/** What is shown: the stream, its head and the place. */
let at = { stream: undefined, head: 0, place: 0 }
let asked = new AbortController()
let tell

export async function history(refused) {
  tell = error => (error.isLocked ? refused(error) : say(error))
  byId('more').addEventListener('click', () => list(lastListed()).catch(tell))
  byId('place').addEventListener('input', ({ target }) => go(Number(target.value)))
  byId('back').addEventListener('click', () => go(at.place - 1))
  byId('on').addEventListener('click', () => go(at.place + 1))
  window.addEventListener('hashchange', () => open().catch(tell))
  await list().catch(tell)
  await open().catch(tell)
}

/** The streams after that one, below those that are there. */
async function list(after) {
  const { streams, more } = await ask(`streams${after ? `?after=${encodeURIComponent(after)}` : ''}`)
  const row = ({ stream, head }) => element('li', {},
    element('a', { href: `#/${encodeURIComponent(stream)}`, 'data-stream': stream }, element('span', {}, stream), element('span', {}, count(head))))
  byId('streams').append(...streams.map(row))
  if (byId('streams').childElementCount === 0) byId('streams').append(element('li', { class: 'empty' }, 'No events yet.'))
  byId('more').hidden = !more
}

const lastListed = () => byId('streams').lastElementChild?.firstElementChild?.dataset.stream

/** What the address says: `#/stream` is its head, `#/stream/12` that place. */
async function open() {
  const [, name, place] = /^#\/([^/]+)(?:\/(\d+))?$/.exec(location.hash) ?? []
  if (!name) return
  const stream = decodeURIComponent(name)
  if (stream === at.stream && place !== undefined && Number(place) === at.place) return
  const { head } = await ask(`streams/${encodeURIComponent(stream)}/events?limit=1`)
  at = { stream, head, place: Math.min(head, Number(place ?? head)) }
  byId('stream-name').textContent = stream
  for (const link of byId('streams').querySelectorAll('a')) {
    if (link.dataset.stream === stream) link.setAttribute('aria-current', 'true')
    else link.removeAttribute('aria-current')
  }
  byId('place').max = head
  await show()
}

function go(place) {
  at.place = Math.max(0, Math.min(at.head, place))
  show(WAIT_MS).catch(tell)
}

/** Shows the place once nobody has gone on for a moment. */
async function show(waitMs = 0) {
  asked.abort()
  asked = new AbortController()
  const { signal } = asked
  const { stream, head, place } = at
  Object.assign(byId('place'), { value: place, disabled: false })
  byId('place-text').textContent = `${count(place)} of ${count(head)}`
  byId('back').disabled = place === 0
  byId('on').disabled = place === head
  try {
    await new Promise(done => setTimeout(done, waitMs))
    signal.throwIfAborted()
    window.history.replaceState(null, '', `#/${encodeURIComponent(stream)}/${place}`)
    const of = `streams/${encodeURIComponent(stream)}`
    const event = place > 0 ? (await ask(`${of}/events?from=${place}&to=${place}&limit=1`, { signal })).events[0] : undefined
    const patch = event && !event.error ? (await ask(`${of}/state?at=${place - 1}&diff=${place}`, { signal })).patch : []
    const { state } = await ask(`${of}/state?at=${place}`, { signal })
    showEvent(place, event)
    showDiff(event, patch)
    byId('state').textContent = cut(JSON.stringify(state, null, 2), STATE_CHARS)
    byId('past').dataset.shows = `${stream} ${place}`
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function showEvent(place, event) {
  if (!event) {
    const text = place === 0 ? 'Before the first event: the state that the model begins with.' : 'This event is not in the store any more.'
    return byId('event').replaceChildren(element('p', {}, text))
  }
  const verdict = event.error
    ? element('span', { class: 'verdict rejected' }, `rejected, ${event.error.code}: ${event.error.reason}`)
    : element('span', { class: 'verdict' }, 'accepted')
  byId('event').replaceChildren(
    element('p', {}, element('strong', {}, event.action?.type ?? ''), ' ', verdict),
    element('p', { class: 'who' }, `${new Date(event.at).toLocaleString()} by ${event.client}, number ${event.n}`),
    element('p', { class: 'who' }, cut(JSON.stringify(event.action?.payload ?? null), VALUE_CHARS)),
  )
}

function showDiff(event, patch) {
  const rows = patch.map(({ op, path, before, value }) => element('p', {},
    element('span', { class: 'path' }, path || 'all of it'), ' ',
    ...(op === 'add' ? [] : [element('del', {}, text(before)), ' ']),
    ...(op === 'remove' ? [] : [element('ins', {}, text(value))])))
  const none = event?.error ? 'Nothing: it was rejected.' : 'Nothing.'
  byId('diff').replaceChildren(...(rows.length > 0 ? rows : [element('p', { class: 'empty' }, none)]))
}

function say(error) {
  byId('event').replaceChildren(element('p', { class: 'verdict rejected' }, `${error.message}.`))
}

const text = value => cut(JSON.stringify(value) ?? '', VALUE_CHARS)
const cut = (text, chars) => (text.length > chars ? `${text.slice(0, chars)} … (${count(text.length)} characters)` : text)
