/** The page on paths: each example in its tables is read. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { appendText, createSlab } from '../../src/core/slab.ts'
import { parseXmlPath } from '../../src/core/xml-path.ts'
import { createJsonScanner } from '../../src/formats/json/scanner.ts'

const page = readFileSync('docs/reference/paths.md', 'utf8')
/** Cells of the rows of the table with this heading. */
function rows(heading: string): string[][] {
  const [table] = page.slice(page.indexOf(heading)).split('\n\n')
  return table
    .trim()
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replace(/^`|`$/g, '')),
    )
}

test.each(rows('| Path | Record | Value |'))('%s of %s is %s', (path, record, value) => {
  const scanner = createJsonScanner(
    { record: '$', fields: [{ path, array: false }], ignore: ['*'] },
    { depth: 128, keyBytes: 4096, findings: 1_000, lineBytes: 1 << 24 },
  )
  const slab = createSlab(4096)
  const start = appendText(slab, record)
  expect(scanner.scanMessage(slab, start, slab.end)).toBeUndefined()
  const [from, length] = scanner.records.cells
  expect(length < 0 ? '' : slab.bytes.toString('utf8', from, from + length)).toBe(value)
})

test.each(rows('| Path | Names |'))('%s is a path into XML', (path) => {
  expect(parseXmlPath(path, { dc: 'http://purl.org/dc/terms/' })).toBeTypeOf('object')
})
