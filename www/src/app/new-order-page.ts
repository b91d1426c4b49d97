/** The form of a new order. */
import { ChangeDetectionStrategy, Component, ElementRef, inject, signal, viewChild } from '@angular/core'
import { RouterLink } from '@angular/router'
import { IonButton, IonContent, IonIcon, IonRouterLinkWithHref, NavController, type ViewDidEnter } from '@ionic/angular'
import { addIcons } from 'ionicons'
import { chevronBack } from 'ionicons/icons'
import { createOrder } from '../../../examples/sales-order/actions'
import { newId, Orders } from './orders'

@Component({
  selector: 'app-new-order-page',
  imports: [IonButton, IonContent, IonIcon, IonRouterLinkWithHref, RouterLink],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <ion-content>
      <div class="page">
        <a class="back" routerLink="/" routerDirection="back"><ion-icon name="chevron-back" aria-hidden="true" />Orders</a>
        <h1>New order</h1>
        <form class="card" (submit)="save($event)">
          <label class="field">
            <span>Customer</span>
            <input #field name="customer" autocomplete="off" maxlength="200" data-testid="customer-input" placeholder="Who orders?"
              [value]="customer()" (input)="customer.set(field.value)" />
          </label>
          <div class="buttons">
            <ion-button type="submit" data-testid="save-order">Create order</ion-button>
            <ion-button fill="clear" color="medium" routerLink="/" routerDirection="back" data-testid="discard-order">Discard</ion-button>
          </div>
        </form>
      </div>
    </ion-content>
  `,
})
export class NewOrderPage implements ViewDidEnter {
  readonly #orders = inject(Orders)
  readonly #navigation = inject(NavController)
  private readonly field = viewChild.required<ElementRef<HTMLInputElement>>('field')
  protected readonly customer = signal('')

  constructor() {
    addIcons({ chevronBack })
  }

  ionViewDidEnter() {
    this.field().nativeElement.focus()
  }

  protected save(event: Event) {
    event.preventDefault()
    const id = newId()
    if (!this.#orders.dispatch(createOrder(id, this.customer().trim()))) return
    // In the form's place, so that the way back from the order leads to the list.
    this.#navigation.navigateRoot(['/orders', id], { animated: false, replaceUrl: true })
  }
}
