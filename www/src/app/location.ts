/** Where the route is kept in the address: in the hash, which any static server can live with. */
import { HashLocationStrategy } from '@angular/common'
import { Injectable } from '@angular/core'

/** Angular's own drops what stands before the hash; here `?stream=` stays where it is while the routes change. */
@Injectable()
export class HashBesideQuery extends HashLocationStrategy {
  override prepareExternalUrl(internal: string): string {
    return `${location.pathname}${location.search}#${internal}`
  }
}
