/** The transcript of the design's first page, word for word, by a bare WebSocket. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stage } from './lib/stage.mjs'
import { thinClient } from './lib/thin.mjs'

let backend
stage({ site: false }, parts => ({ backend } = parts))

test('the thin transcript, word for word', async () => {
  const client = await thinClient(backend, 'salesOrder/demo')
  client.send('{"type":"create","payload":{"id":"1","customer":"Ann"}}')
  await client.count(1)
  client.send('{"type":"confirm","payload":{"id":"1"}}')
  await client.count(2)
  assert.deepEqual(client.lines, [
    '{"seq":1,"key":"1","record":{"id":"1","customer":"Ann","status":"draft","lines":[],"total":0}}',
    '{"seq":2,"error":{"code":"invalid","reason":"order 1 has no lines"}}',
  ])
  client.close()
})

test('what a thin client was told is there after kill -9', async () => {
  const client = await thinClient(backend, 'salesOrder/kept')
  client.send({ type: 'create', payload: { id: 'k', customer: 'Bo' } })
  await client.count(1)
  await backend.takeAway()
  await backend.bringBack()
  assert.equal((await backend.state('salesOrder/kept')).entities.k.customer, 'Bo')
  const events = await backend.events('salesOrder/kept')
  assert.deepEqual(events.map(({ seq }) => seq), [1])
})
