/** Waiting for what must come: asks again and again until a deadline, and then says what was there instead. */
import { setTimeout as pause } from 'node:timers/promises'

const DEADLINE_MS = Number(process.env.TWINSTORE_DEADLINE_MS ?? 30_000)
const AGAIN_MS = 20

/** Resolves with the first truthy answer of `ask`; `what` names it in the failure. */
export async function until(what, ask, { deadlineMs = DEADLINE_MS, seen } = {}) {
  const deadline = Date.now() + deadlineMs
  let problem
  for (;;) {
    try {
      const answer = await ask()
      if (answer) return answer
      problem = undefined
    } catch (error) {
      problem = error
    }
    if (Date.now() > deadline) break
    await pause(AGAIN_MS)
  }
  const instead = seen ? `; there was ${JSON.stringify(await seen())}` : ''
  throw new Error(`not within ${deadlineMs} ms: ${what}${instead}`, { cause: problem })
}
