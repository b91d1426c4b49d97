/** Types of the sales-order model; `reducer.js` holds no types because the server runs it as it is. */
export interface OrderLine {
  readonly id: string
  readonly sku: string
  readonly quantity: number
  /** Cents. */
  readonly price: number
}

export type OrderStatus = 'draft' | 'confirmed' | 'cancelled'

export interface Order {
  readonly id: string
  readonly customer: string
  readonly status: OrderStatus
  readonly lines: readonly OrderLine[]
  /** Cents. */
  readonly total: number
}

export interface OrdersState {
  readonly entities: { readonly [id: string]: Order }
}

/** A line as it is sent: without an id it goes by its sku. */
export type NewLine = Omit<OrderLine, 'id'> & { readonly id?: string }

export type OrderAction =
  | { type: 'create'; payload: { id: string; customer: string } }
  | { type: 'update'; payload: { id: string; customer: string } }
  | { type: 'addLine'; payload: { id: string; line: NewLine } }
  | { type: 'removeLine'; payload: { id: string; lineId: string } }
  | { type: 'confirm'; payload: { id: string } }
  | { type: 'cancel'; payload: { id: string } }
  | { type: 'delete'; payload: { id: string } }

export declare const initialState: OrdersState
/** What an action does; gives back the very state where it does nothing. */
export default function reducer(state: OrdersState | undefined, action: { type: string }): OrdersState
/** Why an action may not be applied; undefined = it may. */
export declare function validate(state: OrdersState | undefined, action: { type: string }): string | undefined
