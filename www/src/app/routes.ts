/** The pages and their addresses. Small enough to come in one bundle, which also makes each of them work offline. */
import type { Routes } from '@angular/router'
import { LogPage } from './log-page'
import { NewOrderPage } from './new-order-page'
import { OrderPage } from './order-page'
import { OrdersPage } from './orders-page'

export const routes: Routes = [
  { path: '', pathMatch: 'full', component: OrdersPage, title: 'Orders · Twinstore' },
  { path: 'orders/new', component: NewOrderPage, title: 'New order · Twinstore' },
  { path: 'orders/:id', component: OrderPage, title: 'Order · Twinstore' },
  { path: 'log', component: LogPage, title: 'Log · Twinstore' },
  { path: '**', redirectTo: '' },
]
