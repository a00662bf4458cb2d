/**
 * docs/reference/types.md, run: every example is judged by the real check, every type is found in a real
 * file.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { StageColumn } from '../../src/core/engine.ts'
import { ensureRows } from '../../src/core/rows.ts'
import { typeText } from '../../src/core/table-schema.ts'
import { checkDataset, mistakeText } from '../../src/dataset/check.ts'
import type { Column, Dataset } from '../../src/dataset/declaration.ts'
import { EPOCH_PLACES, FORMAT_LETTERS } from '../../src/dataset/temporal-format.ts'
import { DATASET_SCHEMA } from '../../src/dataset/schema.ts'
import { openSession } from '../../src/engines/duckdb/session.ts'
import { openStageEngine } from '../../src/engines/duckdb/stage.ts'
import { deltaType } from '../../src/planning/table-layout.ts'
import { canonicalText } from '../../src/quality/canonical.ts'
import { columnKind, compileColumn } from '../../src/quality/column-check.ts'
import { laidOut } from '../support/laid-out-texts.ts'

const page = readFileSync('docs/reference/types.md', 'utf8')
const tables = page
  .split(/\n\n/)
  .filter((part) => part.startsWith('| '))
  .map(rowsOf)
const code = (cell: string): string[] => [...cell.matchAll(/`([^`]*)`/g)].map((match) => match[1])

function rowsOf(table: string): Record<string, string>[] {
  const [head, , ...rows] = table
    .split('\n')
    .map((line) => line.split(' | ').map((cell) => cell.replace(/^\||\|$/g, '').trim()))
  return rows.map((cells) => Object.fromEntries(head.map((name, i) => [name, cells[i] ?? ''])))
}

const withColumns = (...names: string[]): Record<string, string>[] =>
  tables.filter((table) => names.every((name) => table[0][name] !== undefined)).flat()

function declaration(settings: string): string {
  return `dataset: d\nsource: { files: { path: in } }\nrecord: { format: ndjson }\ncolumns:\n  - { name: c, ${settings} }\n`
}

function columnOf(settings: string): Column {
  const { dataset, mistakes } = checkDataset(declaration(settings))
  expect(mistakes.map(mistakeText)).toEqual([])
  return (dataset as Dataset).columns[0]
}

function judged(column: Column, text: string): string {
  const check = compileColumn(column)
  ensureRows(check.values, 1)
  const { text: bytes, cells } = laidOut([text])
  if (check.check(bytes, 0, cells[0], cells[1]) !== undefined) return 'refused'
  return check.values.valid[0] === 0 ? 'null' : canonicalText(column.type, check.values, bytes, 0)
}

const meanings = withColumns('Declared', 'Read as', 'Refused')

test('the page has a row for each type', () => {
  const types = new Set(meanings.map((row) => /type: (\w+)/.exec(row.Declared)?.[1]))
  expect([...types].toSorted()).toEqual([
    'boolean',
    'date',
    'decimal',
    'double',
    'integer',
    'long',
    'string',
    'timestamp',
    'uuid',
  ])
})

test.each(meanings)('$Declared', (row) => {
  const column = columnOf(code(row.Declared)[0])
  const pairs = [...row['Read as'].matchAll(/`([^`]*)` → `([^`]*)`/g)].map((match) => [match[1], match[2]])
  expect(pairs.length).toBeGreaterThan(0)
  expect(pairs.map(([text]) => [text, judged(column, text)])).toEqual(pairs)
  const refused = code(row.Refused)
  expect(refused.map((text) => [text, judged(column, text)])).toEqual(
    refused.map((text) => [text, 'refused']),
  )
})

test.each(withColumns('Declared', 'Suggestion'))('check refuses $Declared', (row) => {
  expect(
    checkDataset(declaration(code(row.Declared)[0]))
      .mistakes.map(mistakeText)
      .join('\n'),
  ).toContain(row.Suggestion)
})

test('the page and the schema list the whole dialect', () => {
  const listed = withColumns('Letters', 'Meaning').flatMap((row) => code(row.Letters))
  const all = [...FORMAT_LETTERS, 'S', 'SSSSSSSSS', ...Object.keys(EPOCH_PLACES)]
  expect(listed.toSorted()).toEqual(all.toSorted())
  const schema = DATASET_SCHEMA as unknown as {
    properties: { columns: { items: { properties: { format: { description: string } } } } }
  }
  const { description } = schema.properties.columns.items.properties.format
  expect(
    all.filter((letters) => letters !== 'SSSSSSSSS' && !description.split(/[\s,;:()]+/).includes(letters)),
  ).toEqual([])
})

test('types are stored as the page says', async () => {
  const rows = withColumns('Declared', 'Delta', 'Parquet')
  const columns = rows.map((row, i) => ({ ...columnOf(code(row.Declared)[0]), name: `c${i}` }))
  expect(columns.map((column) => typeText(deltaType(column)))).toEqual(rows.map((row) => code(row.Delta)[0]))
  const folder = mkdtempSync(join(tmpdir(), 'headrace-types-page-'))
  const options = { memoryBytes: 128 << 20, threads: 1, spillFolder: join(folder, 'spill') }
  const engine = await openStageEngine(options)
  const stage = await engine.createStage(
    columns.map((column): StageColumn => ({
      name: column.name,
      kind: columnKind(column),
      type: deltaType(column),
    })),
  )
  const values = columns.map((column) => compileColumn(column).values)
  for (const columnValues of values) ensureRows(columnValues, 1)
  stage.append({
    text: { bytes: Buffer.alloc(64), end: 0 },
    selection: Int32Array.of(0),
    count: 1,
    columns: values,
  })
  await (
    await stage.rotate()
  )?.write(
    join(folder, 'a.parquet'),
    [],
    columns.map((column) => column.name),
    'zstd',
  )
  const reader = await openSession({ ...options, spillFolder: join(folder, 'spill2') })
  const schema = (await reader.objects(
    `SELECT name, type, converted_type FROM parquet_schema('${join(folder, 'a.parquet')}')`,
  )) as { name: string; type: string; converted_type: string | null }[]
  const found = columns.map(({ name, array }) => {
    const element = schema.find((row) => row.name === name)
    return array ? '' : [element?.type, element?.converted_type].filter((part) => part !== null).join(' ')
  })
  expect(found).toEqual(rows.map((row) => code(row.Parquet)[0] ?? ''))
  engine.close()
  await reader.close()
  rmSync(folder, { recursive: true, force: true })
})
