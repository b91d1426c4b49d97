/** A counter in its third schema: the first had `{ by }`, the second `{ amount }`, this one has a number as its payload. */
import counter, { added } from './counter.mjs'

export default counter
export const schema = 3

export function upcast({ payload, ...action }, from) {
  if (payload?.poison) throw new Error('this one cannot be brought up to date')
  if (payload?.loops) for (;;);
  if (payload?.odd) return payload.odd === 'nothing' ? undefined : { type: 5 }
  return { ...action, type: added(0).type, payload: from === 1 ? payload.by : payload.amount }
}
