// Goal: every link of a document leads somewhere in the project, to a heading that is there, and no file has a merge that was not finished.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { test } from 'node:test'
import { root } from '../../scripts/lib/paths.mjs'

const git = (...args) => execFileSync('git', ['-C', root, ...args], { encoding: 'utf8' })
const files = git('ls-files', '-z').split('\0').filter(file => file && existsSync(join(root, file)))
const documents = files.filter(file => file.endsWith('.md'))
const text = file => readFileSync(join(root, file), 'utf8')

test('links lead somewhere', () => {
  const broken = documents.flatMap(file => linksOf(file).filter(link => !leads(file, link)).map(link => `${file}: ${link}`))
  assert.deepEqual(broken, [])
})

test('merges are finished', () => {
  const marked = files.filter(file => /^(<{7}|>{7}) /m.test(text(file)))
  assert.deepEqual(marked, [])
})

/** What stands in round brackets behind square ones, outside of code; not what leads out of the project. */
function linksOf(file) {
  const prose = text(file).replace(/^```[^]*?^```/gm, '').replace(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link).filter(link => !/^[a-z]+:/.test(link))
}

function leads(file, link) {
  const [path, anchor] = link.split('#')
  const target = path ? relative(root, normalize(join(root, dirname(file), path))) : file
  if (!existsSync(join(root, target))) return false
  return !anchor || statSync(join(root, target)).isDirectory() || !target.endsWith('.md') || headings(target).has(anchor)
}

/** Anchors as GitHub makes them of headings. */
function headings(file) {
  const lines = text(file).replace(/^```[^]*?^```/gm, '').match(/^#+ .*/gm) ?? []
  return new Set(lines.map(line => line.replace(/^#+ /, '').toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')))
}
