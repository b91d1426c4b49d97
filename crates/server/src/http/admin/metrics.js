/** The server's metrics, read from the text that it gives to Prometheus. */

/** Samples as `{ name, labels, value }`. */
export function parse(text) {
  return text.split('\n').filter(line => line !== '' && !line.startsWith('#')).map(line => {
    const [, name, labels = '', value] = /^([^{\s]+)(?:\{(.*)\})? (\S+)/.exec(line)
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text])
    return { name, labels: Object.fromEntries(pairs), value: value === '+Inf' ? Infinity : Number(value) }
  })
}

/** The sum of all samples of a name with these labels. */
export function sum(samples, name, labels = {}) {
  const fits = sample => sample.name === name && Object.entries(labels).every(([key, text]) => sample.labels[key] === text)
  return samples.filter(fits).reduce((total, { value }) => total + value, 0)
}

/** What a histogram's fraction `q` is not above, of what came between two times; undefined: nothing came. */
export function quantile(before, now, name, q) {
  const buckets = [...bounds(now, name)].sort(([a], [b]) => a - b)
  const old = bounds(before, name)
  const since = buckets.map(([bound, value]) => [bound, value - (old.get(bound) ?? 0)])
  const total = since.at(-1)?.[1] ?? 0
  if (total <= 0) return undefined
  const at = since.findIndex(([, value]) => value >= q * total)
  return since[at][0] === Infinity ? since[at - 1]?.[0] : since[at][0]
}

function bounds(samples, name) {
  const all = new Map()
  for (const { name: of, labels, value } of samples) {
    if (of !== `${name}_bucket`) continue
    const bound = labels.le === '+Inf' ? Infinity : Number(labels.le)
    all.set(bound, (all.get(bound) ?? 0) + value)
  }
  return all
}
