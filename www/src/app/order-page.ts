/** One order: its customer, its lines, and the steps that its status allows. */
import { ChangeDetectionStrategy, Component, computed, inject, signal } from '@angular/core'
import { toSignal } from '@angular/core/rxjs-interop'
import { ActivatedRoute, RouterLink } from '@angular/router'
import { IonButton, IonContent, IonIcon, IonRouterLinkWithHref, NavController } from '@ionic/angular'
import { addIcons } from 'ionicons'
import { add, chevronBack, closeOutline, createOutline, timeOutline } from 'ionicons/icons'
import { map } from 'rxjs'
import { addLine, cancelOrder, confirmOrder, deleteOrder, removeLine, updateOrder } from '../../../examples/sales-order/actions'
import { Link } from './link'
import { newId, Orders } from './orders'
import { Toasts } from './toasts'
import { cents, money, plural } from './words'

@Component({
  selector: 'app-order-page',
  imports: [IonButton, IonContent, IonIcon, IonRouterLinkWithHref, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  templateUrl: './order-page.html',
  styleUrl: './order-page.css',
})
export class OrderPage {
  readonly #orders = inject(Orders)
  readonly #link = inject(Link)
  readonly #toasts = inject(Toasts)
  readonly #navigation = inject(NavController)
  protected readonly id = toSignal(inject(ActivatedRoute).paramMap.pipe(map((params) => params.get('id') ?? '')), { initialValue: '' })

  protected readonly order = computed(() => {
    const [entities, id] = [this.#orders.entities(), this.id()]
    return Object.hasOwn(entities, id) ? entities[id] : undefined
  })
  protected readonly pending = computed(() => this.#link.pendingByOrder().get(this.id()) ?? 0)
  /** The customer's new name while it is being edited. */
  protected readonly customer = signal<string | null>(null)
  protected readonly deleting = signal(false)
  protected readonly money = money
  protected readonly plural = plural

  constructor() {
    addIcons({ add, chevronBack, closeOutline, createOutline, timeOutline })
  }

  protected saveCustomer(event: Event) {
    event.preventDefault()
    const customer = this.customer()?.trim() ?? ''
    if (customer === this.order()?.customer || this.#orders.dispatch(updateOrder(this.id(), customer))) this.customer.set(null)
  }

  protected add(event: SubmitEvent) {
    event.preventDefault()
    const form = event.target as HTMLFormElement
    const text = (name: string) => `${new FormData(form).get(name) ?? ''}`
    const price = cents(text('price'))
    if (price === undefined) {
      this.#toasts.show({ kind: 'refused', title: 'Not possible', text: 'The price must be an amount such as 12.50' })
      return
    }
    const line = { id: newId(), sku: text('sku').trim(), quantity: Number(text('quantity')), price }
    if (!this.#orders.dispatch(addLine(this.id(), line))) return
    form.reset()
    form.querySelector<HTMLInputElement>('[name=sku]')?.focus()
  }

  protected remove(lineId: string) {
    this.#orders.dispatch(removeLine(this.id(), lineId))
  }

  protected confirm() {
    this.#orders.dispatch(confirmOrder(this.id()))
  }

  protected cancel() {
    this.#orders.dispatch(cancelOrder(this.id()))
  }

  protected delete() {
    if (this.#orders.dispatch(deleteOrder(this.id()))) this.#navigation.navigateBack('/')
  }
}
