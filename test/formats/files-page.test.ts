/** The examples of the page on files: what it says of a file is what the scanner makes of it. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createCsvScanner } from '../../src/formats/csv/scanner.ts'
import { readCsv } from '../support/csv.ts'

const page = readFileSync('docs/reference/files.md', 'utf8')
const examples = [...page.matchAll(/```csv\n([^]*?)```\n\n```text\n([^]*?)```/g)].map(
  ([, file, expected]) => [file, expected],
)

test('the page has examples', () => {
  expect(examples).toHaveLength(2)
})

test.each(examples)('%s', (file, expected) => {
  const paths = ['id', 'name', 'note']
  const found = readCsv(
    createCsvScanner({ paths, required: ['id'], ignore: [], delimiter: ',', quote: '"', header: true }),
    file,
  )
  const reasons = found.issues.map((issue) => issue.replace(/^malformed/, 'quarantined:'))
  const lines = found.rows.map((row, i) => {
    const text = found.malformed.has(i) ? reasons.shift() : row.join(' | ').replaceAll('\n', '\\n')
    return `line ${found.lines[i]}: ${text}\n`
  })
  expect(lines.join('')).toBe(expected)
})

test('the paths of the example are those that the scanner knows', () => {
  const [, file] = /```csv\n([^]*?)```/.exec(
    readFileSync('docs/reference/paths.md', 'utf8'),
  ) as RegExpExecArray
  const shape = { required: [], ignore: [], delimiter: ',', quote: '"', header: true }
  expect(readCsv(createCsvScanner({ ...shape, paths: ['#1', 'id', '#3', '#4'] }), file)).toMatchObject({
    rows: [['0', '7', '1.50', '2.50']],
    issues: [],
  })
})
