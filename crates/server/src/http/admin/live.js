/** What the server does now: asked each second, shown as a minute of bars and as tiles. */
import { ask } from './access.js'
import { bytes, byId, count, element, rate, shape, span } from './dom.js'
import { parse, quantile, sum } from './metrics.js'

const EVERY_MS = 1_000
const KEPT = 61
const WIDTH = 600
const HEIGHT = 120

/** What each tile shows of the last two looks: its value, and a line below it. */
const TILES = {
  Actions: ({ per }) => [`${rate(per('twinstore_actions_total'))} /s`, `${count(per.now('twinstore_actions_total'))} since the start`],
  Rejected: ({ per }) => [`${rate(rejected(per))} /s`, `${count(rejected(per.now))} since the start`],
  'Until durable': ({ within }) => [span(within('twinstore_commit_seconds', 0.5)), `99 %: ${span(within('twinstore_commit_seconds', 0.99))}, last 10 s`],
  'Model runs': ({ within }) => [span(within('twinstore_reducer_seconds', 0.5)), `99 %: ${span(within('twinstore_reducer_seconds', 0.99))}, last 10 s`],
  Sockets: ({ per: { now } }) => [count(now('twinstore_sockets')), `${count(now('twinstore_sockets', { kind: 'twin' }))} twins, ${count(now('twinstore_sockets', { kind: 'thin' }))} thin`],
  Lag: ({ per: { now } }) => [count(now('twinstore_lag_events')), `events; the most: ${count(now('twinstore_lag_events_max'))}`],
  Streams: ({ per: { now } }) => [count(now('twinstore_streams_loaded')), `in memory; ${bytes(now('process_resident_memory_bytes'))}`],
  Waiting: ({ per: { now } }) => [count(now('twinstore_questions_waiting')), `questions; ${count(now('twinstore_appends_waiting'))} appends`],
  In: ({ per }) => [`${bytes(per('twinstore_received_bytes_total'))}/s`, `${rate(per('twinstore_received_frames_total'))} frames/s`],
  Out: ({ per }) => [`${bytes(per('twinstore_sent_bytes_total'))}/s`, `${rate(per('twinstore_sent_frames_total'))} frames/s`],
  Refused: ({ per }) => [`${rate(per('twinstore_refused_total'))} /s`, `${count(per.now('twinstore_socket_cut_off_total'))} cut off`],
  'Up for': ({ per: { now } }) => [span(Date.now() / 1000 - now('process_start_time_seconds')), `${count(now('twinstore_http_requests_total'))} requests`],
}

const rejected = of => of('twinstore_actions_total') - of('twinstore_actions_total', { verdict: 'accepted' })

/** Looks for ever; `refused` is told when the token is not taken any more. */
export async function watch(refused) {
  const looks = []
  drawTiles()
  for (;;) {
    try {
      looks.push({ at: performance.now(), samples: parse(await ask('metrics', { text: true })) })
      if (looks.length > KEPT) looks.shift()
      draw(looks)
    } catch (error) {
      if (error.isLocked) return refused(error)
      show('away', 'No answer')
    }
    await new Promise(done => setTimeout(done, EVERY_MS))
  }
}

function draw(looks) {
  const now = looks.at(-1)
  const draining = sum(now.samples, 'twinstore_draining') > 0
  show(draining ? 'draining' : 'ready', draining ? 'About to stop' : 'Serving')
  byId('version').textContent = now.samples.find(({ name }) => name === 'twinstore_build_info')?.labels.version ?? ''
  const tenAgo = looks.at(-11) ?? looks[0]
  const of = { per: between(looks.at(-2) ?? now, now), within: (name, q) => quantile(tenAgo.samples, now.samples, name, q) }
  for (const [name, tile] of Object.entries(TILES)) {
    const [value, more] = tile(of)
    const [shown, below] = byId('tiles').querySelector(`[data-tile="${name}"]`).querySelectorAll('dd')
    shown.textContent = value
    below.textContent = more
  }
  drawChart(looks)
}

/** `per(name, labels)`: how much more a second; `per.now`: how much. A server that began anew counts from 0. */
function between(before, now) {
  const seconds = Math.max((now.at - before.at) / 1000, 0.001)
  const per = (...of) => Math.max(0, sum(now.samples, ...of) - sum(before.samples, ...of)) / seconds
  return Object.assign(per, { now: (...of) => sum(now.samples, ...of) })
}

function show(is, text) {
  const chip = byId('health')
  if (chip.textContent === text) return
  chip.dataset.is = is
  chip.textContent = text
}

function drawTiles() {
  const tiles = Object.keys(TILES).map(name => element('div', { 'data-tile': name },
    element('dt', {}, name), element('dd', { class: 'value' }, '–'), element('dd', { class: 'more' })))
  byId('tiles').replaceChildren(...tiles)
}

function drawChart(looks) {
  const bars = looks.slice(1).map((look, i) => {
    const per = between(looks[i], look)
    return { all: per('twinstore_actions_total'), rejected: rejected(per) }
  })
  const most = Math.max(10, ...bars.map(({ all }) => all))
  const wide = WIDTH / (KEPT - 1)
  const rects = bars.flatMap(({ all, rejected }, i) => {
    const x = WIDTH - (bars.length - i) * wide
    const [high, low] = [all, rejected].map(value => value / most * HEIGHT)
    const rect = (height, kind) => height > 0 && shape('rect', { x: x + 1, y: HEIGHT - height, width: wide - 2, height, class: kind })
    return [rect(high, 'accepted'), rect(low, 'rejected')].filter(Boolean)
  })
  byId('chart').replaceChildren(...rects)
  byId('chart-top').textContent = `${rate(most)} /s`
  const last = bars.at(-1)
  if (last) byId('chart').setAttribute('aria-label', `${rate(last.all)} actions a second, ${rate(last.rejected)} of them rejected`)
}
