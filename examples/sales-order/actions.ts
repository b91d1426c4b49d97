/** Action creators of the sales-order model, for apps. Not in `reducer.js`: the server has no use for them. */
import type { NewLine, OrderAction } from './reducer.js'

export const createOrder = (id: string, customer: string) => made({ type: 'create', payload: { id, customer } })
export const updateOrder = (id: string, customer: string) => made({ type: 'update', payload: { id, customer } })
export const addLine = (id: string, line: NewLine) => made({ type: 'addLine', payload: { id, line } })
export const removeLine = (id: string, lineId: string) => made({ type: 'removeLine', payload: { id, lineId } })
export const confirmOrder = (id: string) => made({ type: 'confirm', payload: { id } })
export const cancelOrder = (id: string) => made({ type: 'cancel', payload: { id } })
export const deleteOrder = (id: string) => made({ type: 'delete', payload: { id } })

/**
 * Whether an action is the model's: for the twin's `sync`. By type rather than by the change of state, so that an
 * action that has nothing to apply to is told so too, instead of passing by unheard.
 */
export const isOrderAction = (action: { type: string }): action is OrderAction => TYPES.has(action.type)

const made = (action: OrderAction): OrderAction => action

const TYPES: ReadonlySet<string> = new Set<OrderAction['type']>([
  'create',
  'update',
  'addLine',
  'removeLine',
  'confirm',
  'cancel',
  'delete',
])
