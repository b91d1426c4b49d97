/** The frame of the app: the bar with the link's state and the offline switch, the list beside the page where there is room. */
import { ChangeDetectionStrategy, Component, computed, inject } from '@angular/core'
import { toSignal } from '@angular/core/rxjs-interop'
import { NavigationEnd, Router, RouterLink, RouterLinkActive } from '@angular/router'
import { IonApp, IonIcon, IonRouterLinkWithHref, IonRouterOutlet, IonToggle } from '@ionic/angular'
import { addIcons } from 'ionicons'
import { listOutline, receiptOutline } from 'ionicons/icons'
import { filter, map } from 'rxjs'
import { Link } from './link'
import { OrderList } from './order-list'
import { ToastStack } from './toasts'
import { TWIN } from './twin'
import { wide } from './wide'
import { plural } from './words'

@Component({
  selector: 'app-root',
  imports: [IonApp, IonIcon, IonRouterLinkWithHref, IonRouterOutlet, IonToggle, OrderList, RouterLink, RouterLinkActive, ToastStack],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './app.html',
  styleUrl: './app.css',
})
export class App {
  protected readonly link = inject(Link)
  protected readonly stream = inject(TWIN).name
  protected readonly wide = wide
  /** The list, an order and a new one: all that is not the log. */
  protected readonly atOrders = toSignal(
    inject(Router).events.pipe(
      filter((event) => event instanceof NavigationEnd),
      map(({ urlAfterRedirects: url }) => !url.startsWith('/log')),
    ),
    { initialValue: false },
  )
  protected readonly state = computed(() => STATES[this.link.status().link])
  protected readonly spoken = computed(() => {
    const { pending, held } = this.link.status()
    return `${this.state()}, ${plural(pending, 'change')} pending${held > 0 ? `, ${held} held back` : ''}`
  })

  constructor() {
    addIcons({ listOutline, receiptOutline })
  }
}

const STATES = { online: 'Online', connecting: 'Connecting…', offline: 'Offline' }
