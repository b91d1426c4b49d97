/** The list of orders: who, how much, in which state, and a mark on those with changes that wait for the server. */
import { ChangeDetectionStrategy, Component, computed, inject } from '@angular/core'
import { RouterLink, RouterLinkActive } from '@angular/router'
import { IonButton, IonIcon, IonRouterLinkWithHref } from '@ionic/angular'
import { addIcons } from 'ionicons'
import { add, timeOutline } from 'ionicons/icons'
import { Link } from './link'
import { Orders } from './orders'
import { wide } from './wide'
import { money, plural } from './words'

@Component({
  selector: 'app-order-list',
  imports: [IonButton, IonIcon, IonRouterLinkWithHref, RouterLink, RouterLinkActive],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './order-list.html',
  styleUrl: './order-list.css',
})
export class OrderList {
  protected readonly orders = inject(Orders)
  readonly #link = inject(Link)
  protected readonly money = money
  protected readonly plural = plural
  // Beside the page the list stays: each order takes the place of the one before. On a phone one goes there and back.
  protected readonly direction = computed(() => (wide() ? 'root' : 'forward'))

  constructor() {
    addIcons({ add, timeOutline })
  }

  protected pending(id: string): number {
    return this.#link.pendingByOrder().get(id) ?? 0
  }
}
