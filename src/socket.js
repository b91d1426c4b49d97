/**
 * Sockets, shared by the twins of one address and user in this tab. A socket lives as long as one of its twins holds
 * it: the last one that leaves closes it. A twin is told by its `Host`.
 */
import { frameOf } from './frames.js'

/** `WebSocket.OPEN`. */
const OPEN = 1

const sockets = new Map()

/** The socket of that address and line, opened where there is none; undefined: the address is not one. `host` hears of it from now on. */
export function join(url, line, host, turn) {
  const key = `${url} ${line}`
  try {
    const socket = sockets.get(key) ?? new Socket(key, url)
    socket.add(host, turn)
    return socket
  } catch {
    return undefined
  }
}

class Socket {
  #raw
  #key
  /** Of each twin, the turn in which it came. */
  #turns = new Map()

  constructor(key, url) {
    this.#raw = new WebSocket(url)
    this.#key = key
    sockets.set(key, this)
    this.#raw.addEventListener('open', () => this.#tell((host, turn) => host.opened(turn)))
    this.#raw.addEventListener('message', ({ data }) => {
      const text = typeof data === 'string' ? data : null
      const frame = frameOf(text)
      this.#tell(host => host.said(text, frame))
    })
    // What failed is closed then. In Node an error that nobody hears ends the program.
    this.#raw.addEventListener('error', () => {})
    this.#raw.addEventListener('close', () => {
      // First: who is told may open another at once.
      this.#forget()
      this.#tell(host => host.lost())
    })
  }

  add(host, turn) {
    this.#turns.set(host, turn)
    if (this.#raw.readyState === OPEN) queueMicrotask(() => host.opened(turn))
  }

  /** On a socket that is not open a frame is lost, as on one that breaks. */
  send(text) {
    if (this.#raw.readyState === OPEN) this.#raw.send(text)
  }

  leave(host) {
    this.#turns.delete(host)
    if (this.#turns.size > 0) return
    this.#forget()
    this.#raw.close()
  }

  #forget() {
    if (sockets.get(this.#key) === this) sockets.delete(this.#key)
  }

  /** A twin may come or go while others are told. */
  #tell(tell) {
    for (const [host, turn] of [...this.#turns]) if (this.#turns.get(host) === turn) tell(host, turn)
  }
}
