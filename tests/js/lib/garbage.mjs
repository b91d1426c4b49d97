/** The garbage collector, at once and without a flag for the whole process. */
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')

export async function garbage() {
  // What was looked at through a WeakRef lives until the task's end.
  await setImmediate()
  collect()
  await setImmediate()
}
