/** The start page: on a phone the list, beside the list a word of what can be tried. */
import { ChangeDetectionStrategy, Component } from '@angular/core'
import { IonContent } from '@ionic/angular'
import { OrderList } from './order-list'
import { wide } from './wide'

@Component({
  selector: 'app-orders-page',
  imports: [IonContent, OrderList],
  changeDetection: ChangeDetectionStrategy.OnPush,
  template: `
    <ion-content>
      @if (wide()) {
        <div class="page welcome" data-testid="welcome">
          <h2>Pick an order, or write a new one</h2>
          <p>Then try to break it:</p>
          <ol>
            <li><strong>Go offline</strong> by the switch above, and go on working. Changes wait in the outbox.</li>
            <li><strong>Reload</strong> while offline. Everything is still there.</li>
            <li><strong>Open a second window</strong>, take the last line from an order there, and confirm that order here, offline.</li>
            <li><strong>Go online.</strong> All changes are sent once, in order, and the one that the model forbids is taken back, with its reason.</li>
          </ol>
        </div>
      } @else {
        <app-order-list />
      }
    </ion-content>
  `,
  styles: `
    .welcome { max-width: 560px; padding-top: 12vh; color: var(--muted); }
    h2 { font-size: 24px; color: var(--ink); }
    ol { display: grid; gap: 10px; margin: 20px 0 0; padding-left: 22px; line-height: 1.55; }
    li::marker { color: var(--accent); font-weight: 650; }
    strong { color: var(--ink); font-weight: 600; }
  `,
})
export class OrdersPage {
  protected readonly wide = wide
}
