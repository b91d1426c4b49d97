/** Pages that dispatch and are killed: what runs in the page, and what must be there afterwards. */
import assert from 'node:assert/strict'

/** Actions of one task that each get a transaction of their own: `limits.burst`. */
export const BURST = 64

/** Splits texts into tasks of at most a burst, at seeded points. */
export function inTasks(texts, random) {
  const tasks = []
  for (let at = 0; at < texts.length;) {
    const size = random.between(1, BURST)
    tasks.push(texts.slice(at, at += size))
  }
  return tasks
}

/** In the page: dispatches task by task, tells so in the last one, and does not let that one end. */
export async function dispatchAndSpin(app, { tasks, mark }) {
  for (const [i, task] of tasks.entries()) {
    await scheduler.postTask(() => {})
    for (const payload of task) app.store.dispatch({ type: 'journal/add', payload })
    if (i < tasks.length - 1) continue
    navigator.sendBeacon(`/mark?${mark}`)
    // Longer than any test waits, and yet not for ever.
    for (const end = Date.now() + 60_000; Date.now() < end;) ;
  }
}

/** In the page: the same, but that the last task ends. */
export async function dispatchAndEnd(app, { tasks, mark }) {
  for (const task of tasks) {
    await scheduler.postTask(() => {})
    for (const payload of task) app.store.dispatch({ type: 'journal/add', payload })
  }
  navigator.sendBeacon(`/mark?${mark}`)
}

/** In the page: tells when all is durable, and then goes on with what may be lost until it is killed. */
export async function dispatchDurably(app, { tasks, mark }) {
  const actions = []
  for (const task of tasks) {
    await scheduler.postTask(() => {})
    for (const payload of task) actions.push(app.store.dispatch({ type: 'journal/add', payload }))
  }
  await Promise.all(actions.map(action => app.twin.durable(action)))
  navigator.sendBeacon(`/mark?${mark}`)
  for (let i = 0; i < 5_000; i++) {
    await scheduler.postTask(() => {})
    app.store.dispatch({ type: 'journal/add', payload: `${mark} added ${i}` })
  }
}

/** Each text of each tab, `{ who, said }`, once and in its order; what a tab `added` later without a hole. */
export function assertNothingLost(found, tabs, what) {
  const byTab = new Map(tabs.map(({ who }) => [who, []]))
  for (const text of found) byTab.get(text.split(' ')[0])?.push(text) ?? assert.fail(`${what}: nobody said ${text}`)
  for (const { who, said } of tabs) {
    const there = byTab.get(who)
    assert.deepEqual(there.slice(0, said.length), said, `${what}: of ${who}, each once and in its order`)
    const later = there.slice(said.length)
    assert.deepEqual(later, later.map((_, i) => `${who} added ${i}`), `${what}: what ${who} said later, without a hole`)
  }
}

/** SIGKILL to the process of a page, and the end of it. */
export async function killRenderer({ page }) {
  const crashed = new Promise(done => page.once('crash', done))
  process.kill(page.pid, 'SIGKILL')
  await crashed
  await page.close()
}
