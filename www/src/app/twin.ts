/** The twin of this app: which stream, which server, which model; and the choice to be offline. */
import { InjectionToken } from '@angular/core'
import { createTwin, type Twin } from 'twinstore'
import { isOrderAction } from '../../../examples/sales-order/actions'
import reducer, { validate, type OrderAction, type OrdersState } from '../../../examples/sales-order/reducer.js'

export type OrdersTwin = Twin<OrdersState, OrderAction>

export const TWIN = new InjectionToken<OrdersTwin>('the twin of the sales orders')

/** `?stream=` chooses the stream; the server is the one the page came from. */
export function openTwin(params: URLSearchParams): OrdersTwin {
  const stream = params.get('stream') ?? `${MODEL}demo`
  if (!stream.startsWith(MODEL)) throw new Error(`this app shows streams of sales orders, ${MODEL}…, not ${stream}`)
  const url = new URL('sync', document.baseURI)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const twin = createTwin<OrdersState, OrderAction>({ url: url.href, stream, reducer, validate, sync: isOrderAction })
  if (offlineByChoice()) twin.disconnect()
  return twin
}

/** Kept for the tab, so that who reloads while offline by choice stays so. */
export const offlineByChoice = () => sessionStorage.getItem(OFFLINE) !== null

export function rememberChoice(offline: boolean) {
  if (offline) sessionStorage.setItem(OFFLINE, '1')
  else sessionStorage.removeItem(OFFLINE)
}

const MODEL = 'salesOrder/'
const OFFLINE = 'twinstore-demo/offline'
