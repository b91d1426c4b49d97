/** What is done and what is refused: counted by the server from its log, when one asks. */
import { ask } from './access.js'
import { byId, count, element, shape } from './dom.js'

export function countings(refused) {
  const again = () => show().catch(error => (error.isLocked ? refused(error) : note(`Not counted: ${error.message}.`)))
  byId('count-again').addEventListener('click', again)
  byId('since').addEventListener('change', again)
  return again()
}

async function show() {
  const since = byId('since').value
  note('Counting …')
  const { verdicts, types, rejections, other_rejections: others } = await ask(`stats?top=30${since && `&since=${since}`}`)
  const most = Math.max(1, ...types.rows.map(({ accepted, rejected }) => accepted + rejected))
  const bars = types.rows.map(row => bar(row.name, row.accepted + row.rejected, row.rejected, most))
  if (types.others.accepted + types.others.rejected > 0) bars.push(bar('others', types.others.accepted + types.others.rejected, types.others.rejected, most))
  byId('types').replaceChildren(...orEmpty(bars, 'No actions.'))
  const worst = Math.max(1, ...rejections.map(({ count }) => count))
  const reasons = rejections.map(({ code, reason, count }) => bar(`${code}: ${reason}`, count, count, worst))
  if (others > 0) reasons.push(bar('for other reasons', others, others, worst))
  byId('reasons').replaceChildren(...orEmpty(reasons, 'Nothing was rejected.'))
  const all = verdicts.accepted + verdicts.rejected
  note(`${count(all)} actions, ${count(verdicts.rejected)} of them rejected; counted at ${new Date().toLocaleTimeString()}.`)
}

function bar(name, all, rejected, most) {
  const [wide, bad] = [all, rejected].map(value => value / most * 100)
  const text = rejected > 0 && rejected < all ? `${count(all)}, ${count(rejected)} rejected` : count(all)
  const svg = shape('svg', { viewBox: '0 0 100 8', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    shape('rect', { width: wide, height: 8 }), shape('rect', { width: bad, height: 8, class: 'rejected' }))
  return element('div', { class: 'bar' }, element('b', {}, name), element('span', {}, text), svg)
}

const orEmpty = (bars, text) => (bars.length > 0 ? bars : [element('p', { class: 'empty' }, text)])
const note = text => { byId('done-note').textContent = text }
