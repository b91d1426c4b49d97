/** The Node that runs these scripts. */
import { Failure } from '../lib/run.mjs'

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19))
    throw new Failure(`Node 20.19 or newer is needed, this is ${process.versions.node}. Install a newer Node and start again.`)
}
