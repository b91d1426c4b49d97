/** Types of what `js/` uses of `web.js`. */
export function twinError(code: string, detail?: string): Error
export function randomText(length: number): string
