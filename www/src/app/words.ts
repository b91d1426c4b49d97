/** Actions, reasons, sums and times in words that people read. */
import type { HeldReason, StorageKind } from 'twinstore'
import type { OrderAction } from '../../../examples/sales-order/reducer.js'

/** What an action says, for the log and for toasts. Also of actions that other programs wrote: nothing is taken for granted. */
export function inWords(action: { type: string; payload?: unknown }): string {
  const { type, payload } = action as OrderAction
  switch (type) {
    case 'create':
      return `New order for ${payload?.customer ?? '?'}`
    case 'update':
      return `Customer is now ${payload?.customer ?? '?'}`
    case 'addLine':
      return `Add ${payload?.line?.quantity ?? '?'} × ${payload?.line?.sku ?? '?'}`
    case 'removeLine':
      return 'Remove a line'
    case 'confirm':
      return 'Confirm the order'
    case 'cancel':
      return 'Cancel the order'
    case 'delete':
      return 'Delete the order'
    default:
      return type
  }
}

/** Why an action is held. */
export const whyHeld = (reason: HeldReason | undefined) => (reason === undefined ? '' : HELD[reason])

/** What a change of the outbox's home means for the person at the screen. */
export const whereStored = (storage: StorageKind) => (storage === 'memory' ? IN_MEMORY : STORED)

/** The order an action is about. */
export function orderOf(action: { payload?: unknown }): string | undefined {
  const id = (action.payload as { id?: unknown } | undefined)?.id
  return typeof id === 'string' ? id : undefined
}

export const money = (cents: number) => EURO.format(cents / 100)

/** `12`, `12.5` and `12,50` in cents; undefined for what is no price. */
export function cents(text: string): number | undefined {
  const match = /^(\d{1,6})(?:[.,](\d{1,2}))?$/.exec(text.trim())
  return match ? Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0')) : undefined
}

export const time = (at: number | undefined) => (at === undefined ? '' : TIME.format(at))

export const plural = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`

const HELD: Record<HeldReason, string> = {
  reset: 'The server was reset, and may never have seen this',
  'too-large': 'Too large for the server',
  'too-deep': 'Nested too deeply for the server',
  'not-plain': 'The server cannot read this',
  'too-old': 'So old that the server no longer knows whether it has this',
  'other-subject': 'Another login began this',
  skipped: 'The server went on without this',
  schema: 'Another version of this app made this',
}
const STORED = { title: 'Storage had to be opened anew', text: 'Your changes were carried along' }
const IN_MEMORY = { title: 'This device no longer stores your changes', text: 'Keep this page open until all of them are sent' }
const EURO = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' })
const TIME = new Intl.DateTimeFormat('en', { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
