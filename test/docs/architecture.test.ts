/** The page on architecture against the code: rooms, arrows, kinds of tests, and every file that it names. */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { MAY_IMPORT } from '../../scripts/tidy.ts'
import { TEST_KINDS } from '../../scripts/test-place.ts'

const page = readFileSync('docs/architecture.md', 'utf8')
const foldersOf = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
const ROOMS = foldersOf('src')

/** Words of a line or cell, `a, b and c`. */
const listOf = (text: string): string[] => text.split(/,\s+|\s+and\s+/).map((word) => word.trim())
const groupOf = (name: string): string[] =>
  listOf(new RegExp(`\\*${name}\\* are ([^.]+)\\.`).exec(page)?.[1] ?? '')
const GROUPS: Record<string, string[]> = {
  'pure rooms': groupOf('Pure rooms'),
  adapters: groupOf('Adapters'),
  nothing: [],
  'every room': ROOMS.filter((room) => room !== 'main'),
}

test('the table has every room, with the arrows that tidy allows', () => {
  const [, table] = page.split('| Room | Holds | May import |\n')
  const rows = [...table.split('\n\n')[0].matchAll(/^\| (\w+) \| .+ \| (.+) \|$/gm)]
  expect(rows.map(([, room]) => room).toSorted()).toEqual(ROOMS.toSorted())
  for (const [, room, cell] of rows) {
    const shown = listOf(cell).flatMap((word) => GROUPS[word] ?? [word])
    const allowed = MAY_IMPORT[room].filter((place) => ROOMS.includes(place.split('/')[0]))
    expect(shown.toSorted(), room).toEqual(allowed.filter((place) => place !== room).toSorted())
  }
})

test('the picture shows every room once, each below those that may import it', () => {
  const picture = /```text\n([\s\S]*?)```/.exec(page)?.[1].split('\n') ?? []
  const names = picture.map((line): string[] => line.split(/ {8,}/)[0].match(/[a-z]+/g) ?? [])
  const layerOf = (room: string): number => names.findIndex((line) => line.includes(room))
  for (const room of ROOMS) {
    expect(layerOf(room), room).toBeGreaterThanOrEqual(0)
    for (const place of MAY_IMPORT[room]) {
      const below = place.split('/')[0]
      if (ROOMS.includes(below))
        expect(layerOf(room), `${room} and ${below}`).toBeLessThanOrEqual(layerOf(below))
    }
  }
})

test('each kind of test is listed, and each folder is a room or listed', () => {
  const listed = [...page.matchAll(/^\| (test\/[\w, /]+) \|/gm)].flatMap(([, cell]) =>
    cell.split(', ').map((path) => path.slice('test/'.length)),
  )
  expect(listed.filter((name) => name !== 'cli').toSorted()).toEqual(Object.keys(TEST_KINDS).toSorted())
  expect(foldersOf('test').filter((name) => !ROOMS.includes(name) && !listed.includes(name))).toEqual([])
})

test('every file that the page names is there, and exports what it says of it', () => {
  const named = [...page.matchAll(/`((?:src|test|docs|scripts|examples)\/[^`<]+)`/g)].map(([, path]) => path)
  const missing = named.filter((path) => !path.includes('NAME') && !existsSync(path))
  expect(named.length).toBeGreaterThan(100)
  expect(missing).toEqual([])
})

test('every function that the page names is in a file that it names', () => {
  const text = [...page.matchAll(/`((?:src|test|scripts)\/[a-z\d/.-]+\.ts)`/g)]
    .filter(([, path]) => existsSync(path))
    .map(([, path]) => readFileSync(path, 'utf8'))
    .join('\n')
  const names = [...page.matchAll(/`([a-z]+[A-Z]\w+|[A-Z][a-z]+[A-Z]\w+|[A-Z]+_[A-Z_]+)`/g)].map(
    ([, name]) => name,
  )
  expect(names.length).toBeGreaterThan(10)
  const unknown = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))
  expect(unknown).toEqual([])
})
