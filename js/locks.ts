/**
 * Web Locks: each page load holds one in its client's name, so that others know when it is gone.
 *
 * A page sends its own entries, and those of clients whose lock it could take. Where there are no Web Locks
 * (an insecure context) every lock counts as free: the server knows each action by client and number, so that
 * what two pages send is taken once.
 */
import { randomText } from '#web'

const locks = () => (globalThis.navigator as Navigator | undefined)?.locks
const clients = new Map<string, string>()

/** This page load as a client of that user: the day it was made, and randomness. Its lock is asked for at once. */
export function clientOf(user: string): string {
  let client = clients.get(user)
  if (client === undefined) {
    client = `${new Date().toISOString().slice(0, 10).replaceAll('-', '')}-${randomText(16)}`
    clients.set(user, client)
    // Before anything is stored: nobody can be first.
    void hold(client, true)
  }
  return client
}

/** Of these clients, those that are gone: this page holds their locks from now on. One page at a time looks. */
export async function takeLocks(key: string, clients: string[]): Promise<string[]> {
  const gone: string[] = []
  const look = async () => {
    for (const client of clients) if (await hold(client, false)) gone.push(client)
  }
  await (locks()?.request(`twinstore:stream:${key}`, look) ?? look())
  return gone
}

/** Holds a client's lock until the page ends. Resolves with whether it was had; without `wait` it is asked for once. */
function hold(client: string, wait: boolean): Promise<boolean> {
  const manager = locks()
  if (!manager) return Promise.resolve(true)
  return new Promise(resolve => {
    const held = (lock: Lock | null) => {
      resolve(lock !== null)
      return lock && new Promise(() => {})
    }
    // Refused where the page may not use locks: then there are none to respect.
    manager.request(`twinstore:client:${client}`, { ifAvailable: !wait }, held).catch(() => resolve(true))
  })
}
