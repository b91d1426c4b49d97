/** Elements and numbers, as all parts of the page make them. Texts are set as texts: nothing that a client sent is markup. */

export const byId = id => document.getElementById(id)

/** An element with attributes (false and null: none) and children; a string child is text. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children)
}

/** The same of SVG. */
export function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children)
}

function filled(made, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) if (value !== false && value != null) made.setAttribute(key, value)
  made.append(...children)
  return made
}

const whole = new Intl.NumberFormat('en')
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })

/** A count: exact while it is short. */
export const count = value => (Math.abs(value) < 100_000 ? whole : short).format(Math.round(value))

/** A rate: with a digit behind the point while it is small. */
export const rate = value => (value > 0 && value < 10 ? value.toFixed(1) : count(value))

/** Bytes, in thousands. */
export function bytes(value) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const at = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(value, 1)) / 3)))
  return `${at === 0 ? Math.round(value) : (value / 1000 ** at).toFixed(1)} ${units[at]}`
}

/** Seconds, as long as they are. */
export function span(seconds) {
  if (seconds === undefined) return '–'
  if (seconds < 1) return `${seconds < 0.01 ? (seconds * 1000).toFixed(1) : Math.round(seconds * 1000)} ms`
  if (seconds < 120) return `${Math.round(seconds)} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`
}
