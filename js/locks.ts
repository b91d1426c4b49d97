/**
 * Web Locks: each twin holds one in its client's name, so that other pages know when it is gone.
 *
 * A page sends its own entries, and those of clients whose lock it could take. Where there are no Web Locks
 * (an insecure context) every lock counts as free: the server knows each action by client and number, so that
 * what two pages send is taken once.
 */
import { randomText } from '#web'

const locks = () => (globalThis.navigator as Navigator | undefined)?.locks

/** Gives a lock back; null: it was not to be had. */
type Release = (() => void) | null

/** A client: this page load, in one twin. */
export interface Client {
  /** The day it was made, and randomness. */
  id: string
  /** Resolves with the id when the lock is held: before, others may not hear of it, or they could be first. */
  held: Promise<string>
  /** Its twin is closed: others may take over what it left. */
  end(): void
}

/** A new client. Its lock is asked for before anything is stored: nobody can be first. */
export function newClient(): Client {
  const id = `${new Date().toISOString().slice(0, 10).replaceAll('-', '')}-${randomText(16)}`
  const release = hold(id, true)
  return { id, held: release.then(() => id), end: () => void release.then(release => release?.()) }
}

/** Of these clients, those that are gone: this page holds their locks from now on, if it `keeps` them. One page at a time looks. */
export async function takeLocks(key: string, clients: string[], keeps: boolean): Promise<string[]> {
  const gone: string[] = []
  const look = async () => {
    for (const client of clients) {
      const release = await hold(client, false)
      if (release) gone.push(client)
      if (!keeps) release?.()
    }
  }
  await (locks()?.request(`twinstore:stream:${key}`, look) ?? look())
  return gone
}

/** Resolves when a client is gone: this page holds its lock then, until it is released. */
export const whenGone = (client: string) => hold(client, true)

/** Holds a client's lock until it is released, or the page ends. Without `wait` it is asked for once. */
function hold(client: string, wait: boolean): Promise<Release> {
  const manager = locks()
  if (!manager) return Promise.resolve(() => {})
  return new Promise(resolve => {
    const held = (lock: Lock | null) => (lock ? new Promise<void>(release => resolve(release)) : resolve(null))
    // Refused where the page may not use locks: then there are none to respect.
    manager.request(`twinstore:client:${client}`, { ifAvailable: !wait }, held).catch(() => resolve(() => {}))
  })
}
