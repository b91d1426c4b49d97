/** The outbox and the server's log side by side: what waits here, and what has come to be there. */
import { ChangeDetectionStrategy, Component, computed, effect, inject, untracked } from '@angular/core'
import { RouterLink } from '@angular/router'
import { IonButton, IonContent, IonIcon, IonRouterLinkWithHref } from '@ionic/angular'
import { addIcons } from 'ionicons'
import { cloudOfflineOutline, refreshOutline } from 'ionicons/icons'
import { Link } from './link'
import { Orders } from './orders'
import { ServerLog } from './server-log'
import { TWIN } from './twin'
import { inWords, orderOf, plural, time, whyHeld } from './words'

@Component({
  selector: 'app-log-page',
  imports: [IonButton, IonContent, IonIcon, IonRouterLinkWithHref, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './log-page.html',
  styleUrl: './log-page.css',
})
export class LogPage {
  readonly #twin = inject(TWIN)
  readonly #orders = inject(Orders)
  protected readonly link = inject(Link)
  protected readonly log = inject(ServerLog)
  protected readonly inWords = inWords
  protected readonly orderOf = orderOf
  protected readonly plural = plural
  protected readonly time = time
  protected readonly whyHeld = whyHeld
  /** A long outbox is told of, not drawn: its first actions say how it stands. */
  protected readonly outbox = computed(() => this.link.outbox().slice(0, SHOWN_MAX))
  protected readonly unseen = computed(() => this.link.outbox().length - this.outbox().length)

  readonly #changes = computed(() => {
    const { link, head, cursor } = this.link.status()
    return `${link} ${head} ${cursor}`
  })

  constructor() {
    addIcons({ cloudOfflineOutline, refreshOutline })
    // With the link's state, and with each place in the log that is heard of.
    effect(() => {
      this.#changes()
      untracked(() => void this.log.refresh())
    })
  }

  protected sendAgain(id: string) {
    this.#orders.attempt(() => this.#twin.retry(id))
  }

  protected drop(id: string) {
    this.#orders.attempt(() => this.#twin.drop(id))
  }
}

const SHOWN_MAX = 200
