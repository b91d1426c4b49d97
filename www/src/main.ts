/** Starts the app: the WASM, the twin, its stored state, then the store that shows it. Waits for no network. */
import { bootstrapApplication } from '@angular/platform-browser'
import { init } from 'twinstore'
import { App } from './app/app'
import { appConfig } from './app/app.config'
import { exposeForTests } from './app/testing'
import { openTwin } from './app/twin'

start().catch(showFailure)

async function start() {
  // Angular's bundler does not follow the URL beside the package's own file; `angular.json` copies the WASM to the root.
  await init(new URL('twinstore_bg.wasm', document.baseURI))
  const twin = openTwin(new URLSearchParams(location.search))
  // Without it the store would begin empty and show the stored orders a moment later.
  await twin.ready
  const app = await bootstrapApplication(App, appConfig(twin))
  exposeForTests(app.injector, twin)
}

/** Nothing is there yet that could show it better. */
function showFailure(error: unknown) {
  console.error(error)
  const note = document.createElement('p')
  note.setAttribute('role', 'alert')
  note.className = 'start-failure'
  note.textContent = `The app could not start: ${error instanceof Error ? error.message : error}`
  document.body.replaceChildren(note)
}
