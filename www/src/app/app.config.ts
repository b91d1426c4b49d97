/** The app's providers. The order of store and twin matters: `provideTwin` replaces what `provideStore` brings. */
import { LocationStrategy } from '@angular/common'
import { isDevMode, provideBrowserGlobalErrorListeners, type ApplicationConfig } from '@angular/core'
import { provideRouter, RouteReuseStrategy } from '@angular/router'
import { provideServiceWorker } from '@angular/service-worker'
import { IonicRouteStrategy, provideIonicAngular } from '@ionic/angular'
import { provideStore } from '@ngrx/store'
import { provideTwin } from 'twinstore/ngrx'
import { HashBesideQuery } from './location'
import { routes } from './routes'
import { TWIN, type OrdersTwin } from './twin'

export function appConfig(twin: OrdersTwin): ApplicationConfig {
  return {
    providers: [
      provideBrowserGlobalErrorListeners(),
      provideStore({ orders: twin.reducer }),
      provideTwin(twin),
      { provide: TWIN, useValue: twin },
      provideRouter(routes),
      { provide: LocationStrategy, useClass: HashBesideQuery },
      { provide: RouteReuseStrategy, useClass: IonicRouteStrategy },
      // One look everywhere; Ionic's other mode writes buttons in capitals.
      provideIonicAngular({ mode: 'ios' }),
      // At once: who opens the page one time should be able to start it offline the next.
      provideServiceWorker('ngsw-worker.js', { enabled: !isDevMode(), registrationStrategy: 'registerImmediately' }),
    ],
  }
}
