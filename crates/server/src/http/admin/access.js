/** Requests to the server, with the token that was typed in. It is kept for this tab only. */

const KEY = 'twinstore-admin-token'
const BUSY_MS = 300

/** An answer that is none; `status` 0: nobody answered. */
export class Refused extends Error {
  constructor(status, code, reason) {
    super(reason)
    Object.assign(this, { status, code, isLocked: status === 401 || status === 403 })
  }
}

export const rememberToken = token => sessionStorage.setItem(KEY, token)
export const forgetToken = () => sessionStorage.removeItem(KEY)

/** Asks for what lies under /admin; a server that has too much to do is asked again. */
export async function ask(path, { signal, text = false } = {}) {
  const token = sessionStorage.getItem(KEY)
  for (;;) {
    const answer = await get(new URL(`admin/${path}`, document.baseURI), token, signal)
    if (answer.ok) return text ? answer.text() : answer.json()
    const { error } = await answer.json().catch(() => ({ error: {} }))
    if (answer.status !== 429) throw new Refused(answer.status, error.code ?? 'failed', error.reason ?? `the server answered ${answer.status}`)
    await new Promise(done => setTimeout(done, BUSY_MS))
    signal?.throwIfAborted()
  }
}

async function get(url, token, signal) {
  try {
    return await fetch(url, { signal, cache: 'no-store', headers: token ? { authorization: `Bearer ${token}` } : {} })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new Refused(0, 'away', 'the server does not answer')
  }
}
