/** The section on XML of docs/reference/paths.md: its document, read by its declaration, gives its table. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkDataset } from '../../src/dataset/check.ts'
import { xmlShapeOf, XML_LIMITS } from '../../src/runner/decoder.ts'
import { createXmlScanner } from '../../src/formats/xml/scanner.ts'
import { scan } from '../support/xml.ts'

const page = readFileSync('docs/reference/paths.md', 'utf8')
const block = (language: string): string =>
  new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(page)?.[1] as string

test('the example gives the records that the page says', () => {
  const yaml = `dataset: rss\nsource: { files: { path: in } }\n${block('yaml')}processed: { key: [title] }\n`
  const { dataset, mistakes } = checkDataset(yaml)
  expect(mistakes).toEqual([])
  if (dataset === undefined) return
  const scanner = createXmlScanner(xmlShapeOf(dataset, dataset.columns), XML_LIMITS)
  const { rows, fault } = scan(scanner, block('xml').trim())
  expect(fault).toBeUndefined()
  const table = page
    .split('| title | picture | id | not declared |')[1]
    .split('\n')
    .slice(2, 2 + rows.length)
  const cells = rows.map((row, i) => [
    ...row.map((cell) => cell ?? ''),
    ...scanner.records.issues.filter((issue) => issue.row === i).map((issue) => `\`${issue.path}\``),
  ])
  expect(
    table.map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    ),
  ).toEqual(cells.map((row) => [...row, ...(row.length < 4 ? [''] : [])]))
})
