/** Whether there is room for the list beside the page. */
import { signal } from '@angular/core'

const query = matchMedia('(min-width: 900px)')
const matches = signal(query.matches)
query.addEventListener('change', () => matches.set(query.matches))

export const wide = matches.asReadonly()
