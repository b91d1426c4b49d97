/**
 * Terms: each time that a tab begins to lead, in the database's store `meta`. `term` holds the number of the last one,
 * and `['term', n]` stands for each of the last ones.
 *
 * A leader that slept and was replaced may write no more. With each write of the log it adds and removes the key of the
 * term after its own: where that has begun, the key is there already, and the whole transaction fails. So no transaction
 * waits for an answer before its commit; a tab that is frozen while it waits keeps all others from the database, in
 * Chromium for a minute.
 */
import { transaction } from './rows.js'

/** Terms whose keys are kept: a leader may sleep through as many without writing where it must not. */
const TERMS = 1_000
/** How often one tries to begin a term where others do at the same moment. */
const TRIES = 20

const keyOf = term => ['term', term]

/** In a transaction of the leader of a term: fails it where a later one has begun. */
export function fence(meta, term) {
  meta.add(true, keyOf(term + 1))
  meta.delete(keyOf(term + 1))
}

/** Begins a term after all others. Calls `done` with its number, or with an error. */
export function beginTerm(db, done, tries = TRIES) {
  try {
    const reading = transaction(db, 'meta', false)
    const last = reading.objectStore('meta').get('term')
    reading.commit()
    reading.oncomplete = () => tryToBegin(db, (last.result ?? 0) + 1, done, tries)
    reading.onabort = () => done(reading.error)
  } catch (error) {
    done(error)
  }
}

function tryToBegin(db, term, done, tries) {
  try {
    const writing = transaction(db, 'meta', true)
    const meta = writing.objectStore('meta')
    meta.add(true, keyOf(term))
    meta.put(term, 'term')
    if (term > TERMS) meta.delete(IDBKeyRange.bound(keyOf(0), keyOf(term - TERMS)))
    writing.commit()
    writing.oncomplete = () => done(term)
    writing.onabort = () => (isTaken(writing.error) && tries > 0 ? beginTerm(db, done, tries - 1) : done(writing.error))
  } catch (error) {
    done(error)
  }
}

/** Whether a transaction failed for the key of a term: another tab leads. */
export const isTaken = error => error?.name === 'ConstraintError'
