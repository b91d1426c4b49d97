/** What long runs of random recipes found, each as small as it goes: the same as with immer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as ours from '../../js/produce/index'
import { fingerprint, Numbers } from './lib/fingerprint'
import type { Library } from './lib/program'
import { deepFreeze } from './lib/values'

process.env.NODE_ENV = 'production'
const immer = (await import('immer')) as unknown as Library

/** What comes of each is the state, and what else it gives. */
const FOUND: Record<string, (library: Library) => unknown[]> = {
  'a hole that a method moves becomes undefined': ({ produce }) => [produce(state(), (d) => { d.list.length = 4; d.list.reverse() })],
  '-0 is not written over 0': ({ produce }) => [produce(state([0, -0]), (d) => { d.list.reverse() })],
  'an element of the base that original gave is drafted once it is back in its place': ({ produce, original }) => [
    produce(state(), (d) => { d.list.push(original(d.list[0])); d.list.splice(0, 2); d.list.find(() => true).n = 9 }),
  ],
  'no draft stays in an object of the app that was in a part that went': ({ produce }) => {
    const holder: any = {}
    const next = produce(state(), (d) => { const { part } = d; part.holder = holder; holder.row = d.list[0]; d.list[0].n = 7; delete d.part })
    return [next, holder]
  },
  'a draft of drafts in a circle throws, and leaves no call open': ({ produce, createDraft }) => {
    let thrown = 'nothing'
    produce(state(), (d) => {
      const holder: any = { d }
      d.part.holder = holder
      holder.holder = holder
      try { createDraft(d) } catch (error) { thrown = (error as Error).constructor.name }
      delete d.part
    })
    return [thrown, produce(state(), (d) => { d.part.n = 1 })]
  },
}

const state = (list: unknown[] = [{ n: 1 }, { n: 2 }]) => deepFreeze({ list, part: { n: 0 } })

for (const [name, run] of Object.entries(FOUND))
  test(name, () => {
    // A first call marks the state as one that is frozen to its leaves.
    const [mine, theirs] = [ours as Library, immer].map((library) => run({ ...library, produce: (base, recipe) => library.produce(library.produce(base, () => {}), recipe) }))
    assert.equal(fingerprint(mine, new Numbers()), fingerprint(theirs, new Numbers()))
  })
