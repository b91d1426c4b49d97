/** A document for React and Angular in Node. Import it before them; nothing else of a browser is set. */
import { Window } from 'happy-dom'

const window = new Window({ url: 'http://localhost/' })
globalThis.document = window.document
globalThis.window = window
globalThis.navigator ??= { userAgent: 'Node' }

export { window }
