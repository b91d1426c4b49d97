/** The page: asks for the token where one is needed, then shows what there is. */
import { ask, forgetToken, rememberToken } from './access.js'
import { byId } from './dom.js'
import { history } from './history.js'
import { watch } from './live.js'
import { countings } from './stats.js'

byId('sign-in').addEventListener('submit', event => {
  event.preventDefault()
  rememberToken(byId('token').value.trim())
  byId('token').value = ''
  begin('That token is not the one.')
})

begin('')

/** Shows the page, or the form with that text where the token is not taken. */
async function begin(wrong) {
  try {
    await ask('metrics', { text: true })
  } catch (error) {
    if (error.isLocked) return signIn(wrong)
    byId('health').dataset.is = 'away'
    byId('health').textContent = error.status === 0 ? 'No answer' : error.message
    return void setTimeout(begin, 1_000, wrong)
  }
  byId('sign-in').hidden = true
  byId('main').hidden = false
  const refused = once(() => location.reload())
  watch(refused)
  countings(refused)
  history(refused)
}

function signIn(text) {
  forgetToken()
  byId('sign-in').hidden = false
  byId('sign-in-error').textContent = text
  byId('health').textContent = 'Locked'
  byId('token').focus()
}

function once(call) {
  let called = false
  return () => {
    if (called) return
    called = true
    call()
  }
}
