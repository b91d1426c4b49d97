/** Short messages over the app: what the server rejected and why, what the model refused at once, what else is worth knowing. */
import { ChangeDetectionStrategy, Component, inject, Injectable, signal } from '@angular/core'
import { IonIcon } from '@ionic/angular'
import { SwUpdate } from '@angular/service-worker'
import { addIcons } from 'ionicons'
import { alertCircle, closeCircle, closeOutline, informationCircle } from 'ionicons/icons'
import { TWIN } from './twin'
import { inWords, whereStored, whyHeld } from './words'

export interface Toast {
  kind: 'rejected' | 'refused' | 'info'
  title: string
  text: string
  action?: { label: string; run: () => void }
}

@Injectable({ providedIn: 'root' })
export class Toasts {
  readonly #shown = signal<readonly (Toast & { id: number })[]>([])
  #last = 0

  readonly shown = this.#shown.asReadonly()

  constructor() {
    const twin = inject(TWIN)
    twin.on('rejected', ({ action, reason }) =>
      this.show({ kind: 'rejected', title: `Rejected: ${inWords(action)}`, text: reason }),
    )
    twin.on('held', ({ action, reason }) =>
      this.show({ kind: 'rejected', title: `Not sent: ${inWords(action)}`, text: `${whyHeld(reason)}. The log page has it, to send again or drop` }),
    )
    twin.on('reset', ({ reason }) => this.show({ kind: 'info', title: 'The server starts anew', text: reason }))
    twin.on('storage', ({ storage }) => this.show({ kind: 'info', ...whereStored(storage) }))
    this.#offerUpdates(inject(SwUpdate))
  }

  show(toast: Toast) {
    const id = ++this.#last
    const text = sentence(toast.text)
    // The newest few: after a long time offline there may be many, and the log page has them all.
    this.#shown.update((shown) => [...shown.slice(1 - SHOWN_MAX), { ...toast, text, id }])
    if (!toast.action) setTimeout(() => this.dismiss(id), SHOWN_MS)
  }

  dismiss(id: number) {
    this.#shown.update((shown) => shown.filter((toast) => toast.id !== id))
  }

  #offerUpdates(updates: SwUpdate) {
    updates.versionUpdates.subscribe(({ type }) => {
      if (type !== 'VERSION_READY') return
      const action = { label: 'Reload', run: () => location.reload() }
      this.show({ kind: 'info', title: 'A new version is here', text: 'It starts with the next load.', action })
    })
  }
}

@Component({
  selector: 'app-toasts',
  imports: [IonIcon],
  changeDetection: ChangeDetectionStrategy.OnPush,
  host: { role: 'status', 'aria-live': 'polite' },
  template: `
    @for (toast of toasts.shown(); track toast.id) {
      <div class="toast" [class]="toast.kind" data-testid="toast" [attr.data-kind]="toast.kind">
        <ion-icon [name]="icons[toast.kind]" aria-hidden="true" />
        <div>
          <strong data-testid="toast-title">{{ toast.title }}</strong>
          <p data-testid="toast-reason">{{ toast.text }}</p>
        </div>
        @if (toast.action; as action) {
          <button type="button" class="act" (click)="action.run()">{{ action.label }}</button>
        }
        <button type="button" class="close" aria-label="Dismiss" data-testid="toast-dismiss" (click)="toasts.dismiss(toast.id)">
          <ion-icon name="close-outline" aria-hidden="true" />
        </button>
      </div>
    }
  `,
  styleUrl: './toasts.css',
})
export class ToastStack {
  protected readonly toasts = inject(Toasts)
  protected readonly icons = { rejected: 'close-circle', refused: 'alert-circle', info: 'information-circle' }

  constructor() {
    addIcons({ alertCircle, closeCircle, closeOutline, informationCircle })
  }
}

/** Reasons come from models and begin small, as errors do. */
function sentence(reason: string): string {
  const text = reason.trim()
  return text === '' ? text : `${text[0]?.toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}

const SHOWN_MAX = 3
const SHOWN_MS = 9_000
