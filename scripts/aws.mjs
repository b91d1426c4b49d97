/** `npm run aws [coupled|pipeline]`: AWS on this machine, with the demo in front of it. `PORT=9000` takes another port. */
import { startGate } from './aws/gate.mjs'
import { TOPOLOGIES, bootstrap, startLocalAws } from './aws/local.mjs'
import { build } from './build.mjs'
import { DEMO, buildDemo } from './build/demo.mjs'
import { SALES_ORDER, WORKOUT, buildModels } from './build/models.mjs'
import { Failure, main, run } from './lib/run.mjs'
import { say, step } from './lib/step.mjs'
import { setup } from './setup.mjs'
import { ministack } from './setup/ministack.mjs'

await main(async () => {
  const [topology = 'coupled'] = process.argv.slice(2)
  if (!TOPOLOGIES.includes(topology)) throw new Failure(`There is no topology ${topology}: npm run aws ${TOPOLOGIES.join(' | ')}`)
  const port = Number(process.env.PORT ?? 8787)
  for (const taken of [port, port + 1])
    if (await answers(taken)) throw new Failure(`Something answers at 127.0.0.1:${taken} already. Stop it, or take another port: PORT=9000 npm run aws`)
  say('The first start takes some minutes, most of them for the AWS SDK to compile; later ones take seconds.')
  await setup()
  await ministack()
  await step('the functions', () => run('cargo', ['build', '-p', 'twinstore-lambda']))
  await build()
  await buildModels()
  await buildDemo()
  const models = { salesOrder: SALES_ORDER, workout: WORKOUT }
  const aws = await step(`ministack, with ${topology} in it`, () =>
    startLocalAws({ topology, models, program: bootstrap('debug'), port: port + 1 }))
  process.once('exit', aws.stop)
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(0))
  const gate = await startGate({ to: aws.url, port, www: DEMO })
  console.log(whatToTry(topology, gate, aws))
  await new Promise(() => {})
})

function answers(port) {
  return fetch(`http://127.0.0.1:${port}`).then(() => true, () => false)
}

function whatToTry(topology, gate, aws) {
  return `
  Twinstore runs as functions (${topology}): ${gate.httpUrl}

  Try this:
  1. Open ${gate.httpUrl} in two windows, add an order in one: it is in the other.
  2. Take one offline by the switch in its header, change orders, go online: they are sent.
  3. npx wscat -c '${gate.url}?stream=salesOrder/demo'
     > {"type":"create","payload":{"id":"1","customer":"Ann"}}
  4. Look into the tables: aws --endpoint-url ${aws.endpoint} dynamodb scan --table-name salesOrder
     (with AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION=us-east-1)

  Ctrl-C stops it. All is in memory, and gone then.
`
}
