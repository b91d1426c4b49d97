/** `npm run aws [coupled|pipeline]`: AWS on this machine, with the demo in front of it. `PORT=9000` takes another port. */
import { startGate } from './aws/gate.mjs'
import { TOPOLOGIES, bootstrap, startLocalAws } from './aws/local.mjs'
import { build } from './build.mjs'
import { DEMO, buildDemo } from './build/demo.mjs'
import { SALES_ORDER, WORKOUT, buildModels } from './build/models.mjs'
import { Failure, main, run } from './lib/run.mjs'
import { setup } from './setup.mjs'
import { ministack } from './setup/ministack.mjs'

await main(async () => {
  const [topology = 'coupled'] = process.argv.slice(2)
  if (!TOPOLOGIES.includes(topology)) throw new Failure(`npm run aws ${TOPOLOGIES.join(' | ')}`)
  const port = Number(process.env.PORT ?? 8787)
  await setup()
  await ministack()
  await build()
  await buildModels()
  await buildDemo()
  await run('cargo', ['build', '-p', 'twinstore-lambda'])
  const aws = await startLocalAws({ topology, models: { salesOrder: SALES_ORDER, workout: WORKOUT }, program: bootstrap('debug'), port: port + 1 })
  process.once('exit', aws.stop)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0))
  const gate = await startGate({ to: aws.url, port, www: DEMO })
  console.log(`${topology}: the demo at ${gate.httpUrl}, sockets at ${gate.url}, services at ${aws.endpoint}`)
  await new Promise(() => {})
})
