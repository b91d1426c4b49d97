/** The built package, from `dist/` or from the folder that TWINSTORE_DIST names; and a WebSocket where Node has none. */
import { pathToFileURL } from 'node:url'
import { resolve } from 'node:path'
import WebSocket from 'ws'
import { at } from '../../../scripts/lib/paths.mjs'

globalThis.WebSocket ??= WebSocket

const dist = process.env.TWINSTORE_DIST ? resolve(process.env.TWINSTORE_DIST) : at('dist')
const load = file => import(pathToFileURL(`${dist}/${file}`).href)

export const { createTwin, init, initSync, isTwinError, REBASE, REMOTE } = await load('node.js')

/** Only where Angular is wanted. */
export const loadNgrx = () => load('ngrx.js')
