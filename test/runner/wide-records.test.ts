/**
 * Records of many columns with few values each: more of them than have room at a time are read in turns, none
 * is lost or read twice.
 */
import { expect, test } from 'vitest'
import { checkDataset } from '../../src/dataset/check.ts'
import type { Dataset } from '../../src/dataset/declaration.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { createDocumentReader, type DocumentBytes } from '../../src/runner/document-windows.ts'
import { scanLargeFile } from '../../src/runner/large-file.ts'
import type { Records } from '../../src/formats/records.ts'
import type { Slab } from '../../src/core/slab.ts'

const WIDTH = 500
const COUNT = 9_000
const FORMATS = {
  ndjson: {
    record: 'format: ndjson',
    text: lines((i) => `{"c${i % WIDTH}":"${i}"}`, '\n'),
  },
  json: {
    record: 'format: json, path: "$[*]"',
    text: `[${lines((i) => `{"c${i % WIDTH}":"${i}"}`, ',\n')}]`,
  },
  xml: {
    record: 'format: xml, path: /r/x',
    text: `<r>${lines((i) => `<x><c${i % WIDTH}>${i}</c${i % WIDTH}></x>`, '\n')}</r>`,
  },
  // Lines that are too short for the header are records too: of the quarantine.
  csv: {
    record: 'format: csv',
    text: `${Array.from({ length: WIDTH }, (_, i) => `c${i}`).join(',')}\n${lines(String, '\n')}`,
  },
}

function lines(record: (i: number) => string, between: string): string {
  return Array.from({ length: COUNT }, (_, i) => record(i)).join(between)
}

function datasetOf(record: string): Dataset {
  const columns = Array.from({ length: WIDTH }, (_, i) => ({ name: `c${i}` }))
  const { dataset } = checkDataset(
    `dataset: d\nsource: { files: { path: in } }\nrecord: { ${record} }\ncolumns: ${JSON.stringify(columns)}\n`,
  )
  return dataset as Dataset
}

/** In pieces that are no windows. */
async function* pieces(text: string): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
}

/** By record, the one value that it has; or what is wrong with it. */
function found({ rows, cells, width, issues }: Records, { bytes }: Slab): string[] {
  expect(rows * width).toBeLessThanOrEqual(LIMITS.blockCellsWide)
  const wrong = new Set(issues.map((issue) => issue.row))
  return Array.from({ length: rows }, (_, row) => {
    if (wrong.has(row)) return 'wrong'
    const values: string[] = []
    for (let column = 0, at = row * width * 2; column < width; column += 1, at += 2)
      if (cells[at + 1] >= 0)
        values.push(`c${column}=${bytes.toString('utf8', cells[at], cells[at] + cells[at + 1])}`)
    return values.join()
  })
}

const wanted = (format: string): string[] =>
  Array.from({ length: COUNT }, (_, i) => (format === 'csv' ? 'wrong' : `c${i % WIDTH}=${i}`))

test.each(Object.entries(FORMATS))('%s: a job reads all of them', async (format, { record, text }) => {
  const dataset = datasetOf(record)
  const reader = createDocumentReader(dataset, dataset.columns)
  for (const isPacked of [false, true]) {
    const file: DocumentBytes = { size: text.length, isPacked, chunks: () => pieces(text) }
    const [records, places]: [string[], number[]] = [[], []]
    let windows = 0
    const fault = await reader.read(
      file,
      async ({ slab, records: some, lineOf }) => {
        records.push(...found(some, slab))
        for (let row = 0; row < some.rows; row += 1) places.push(await lineOf(row))
        return true
      },
      async () => void (windows += 1),
    )
    expect(fault).toBeUndefined()
    expect(records).toEqual(wanted(format))
    expect(places).toEqual(records.map((_, i) => i + (format === 'csv' ? 2 : 1)))
    expect(windows).toBe(1)
  }
})

test.each(Object.entries(FORMATS))('%s: a stream reads all of them', async (format, { record, text }) => {
  const dataset = datasetOf(record)
  const records: string[] = []
  const fault = await scanLargeFile(
    { dataset, columns: dataset.columns },
    pieces(text),
    async (slab, scanner) => {
      records.push(...found(scanner.records, slab))
    },
  )
  expect(fault).toBeUndefined()
  expect(records).toEqual(wanted(format))
})
