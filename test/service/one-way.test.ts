/**
 * One way to read a file: a job of the service and a stream with the same columns take the same rows from the
 * same files, with the same values, and refuse the same records for the same reasons. Generated files: odd
 * headers, quotes, line ends, widths; right and wrong values.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { checkDataset } from '../../src/dataset/check.ts'
import { placeDataset } from '../../src/operations/datasets.ts'
import { streamOf } from '../../src/operations/stream.ts'
import { textsOf } from '../support/column-texts.ts'
import { openFolder } from '../support/service.ts'
import { rowsOf, runWork, workOf } from '../support/transfers.ts'

const home = openFolder('headrace-one-way-')
const FILES = process.env.HEADRACE_TEST_VALUES_LONG === undefined ? 60 : 300

interface Declared {
  name: string
  /** Of the job, and of the declaration. */
  job: Record<string, unknown>
  stream: Record<string, unknown>
}

const TYPES: [string, Record<string, unknown>][] = [
  ['BIGINT', { type: 'long' }],
  ['INTEGER', { type: 'integer' }],
  ['DECIMAL(10, 2)', { type: 'decimal', precision: 10, scale: 2 }],
  ['DOUBLE', { type: 'double' }],
  ['BOOLEAN', { type: 'boolean' }],
  ['DATE', { type: 'date' }],
  ['TIMESTAMPTZ', { type: 'timestamp', timezone: 'UTC' }],
  ['UUID', { type: 'uuid' }],
  ['VARCHAR', {}],
]
const COLUMNS: Declared[] = [
  ...TYPES.map(([type, stream], i): Declared => ({ name: `c${i}`, job: { type }, stream })),
  { name: 'must', job: { type: 'VARCHAR', required: true }, stream: { required: true } },
  {
    name: 'day',
    job: { type: 'DATE', format: 'dd.MM.yyyy', nulls: ['', '-'] },
    stream: { type: 'date', format: 'dd.MM.yyyy', nulls: ['', '-'] },
  },
  {
    name: 'local',
    job: { type: 'TIMESTAMPTZ', timezone: 'Europe/Berlin' },
    stream: { type: 'timestamp', timezone: 'Europe/Berlin' },
  },
]
/** Texts of columns whose type does not say all. */
const CHOSEN: Record<string, string[] | undefined> = {
  day: ['01.02.2024', '31.02.2024', '-', '2024-01-01', ''],
  must: ['x', 'y', ''],
}
const TEXTS = new Map(
  COLUMNS.map(({ name, job }) => [name, CHOSEN[name] ?? textsOf(String(job.type), 2_000, 77)]),
)

/**
 * Which columns, in which order, and how many rows; a row has one odd value at most, so that most rows are
 * accepted.
 */
const anyShape = fc.record({
  order: fc.shuffledSubarray(COLUMNS, { minLength: COLUMNS.length }),
  rows: fc.integer({ min: 0, max: 12 }),
  seed: fc.nat(),
  end: fc.constantFrom('\n', '\r\n', '\r'),
  mark: fc.boolean(),
  blank: fc.boolean(),
})
type Shape = typeof anyShape extends fc.Arbitrary<infer T> ? T : never

const PLAIN: Record<string, string> = {
  c0: '12',
  c1: '-7',
  c2: '1.5',
  c3: '2.25',
  c4: 'true',
  c5: '2024-02-29',
  c6: '2024-01-02T03:04:05.678Z',
  c7: '0188b6a0-5f7e-7cc1-8b11-0f2a1b3c4d5e',
  c8: 'text',
  must: 'x',
  day: '01.02.2024',
  local: '2024-03-31 02:30:00',
}

function rowOf({ seed }: Shape, row: number): Map<string, string> {
  const values = new Map(Object.entries(PLAIN))
  const odd = COLUMNS[(seed + row * 7) % COLUMNS.length].name
  const texts = TEXTS.get(odd) as string[]
  return values.set(odd, texts[(seed * 31 + row) % texts.length])
}

function csvOf(shape: Shape): string {
  const field = (text: string, row: number): string =>
    /[",\r\n]/.test(text) || row % 3 === 0 ? `"${text.replaceAll('"', '""')}"` : text
  const lines = [shape.order.map(({ name }) => name).join(',')]
  for (let row = 0; row < shape.rows; row += 1) {
    const values = rowOf(shape, row)
    lines.push(shape.order.map(({ name }) => field(values.get(name) ?? '', row)).join(','))
    if (shape.blank && row === 2) lines.push('')
    if (shape.seed % 5 === 0 && row === 4) lines.push('too,few', `${'x,'.repeat(shape.order.length)}x`)
    if (shape.seed % 7 === 0 && row === 5) lines.push(`1,"text" behind${',x'.repeat(shape.order.length - 2)}`)
  }
  return `${shape.mark ? '\uFEFF' : ''}${lines.join(shape.end)}${shape.blank ? shape.end : ''}`
}

function linesOf(shape: Shape): string {
  const lines: string[] = []
  for (let row = 0; row < shape.rows; row += 1) {
    const values = rowOf(shape, row)
    const members = shape.order
      .filter(({ name }) => values.get(name) !== '')
      .map(({ name }) => {
        const text = values.get(name) ?? ''
        const isBare =
          /^(-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|true|false)$/.test(text) && (row + shape.seed) % 2 === 0
        return `${JSON.stringify(name)}: ${isBare ? text : JSON.stringify(text)}`
      })
    lines.push(`{${members.join(', ')}}`)
    if (shape.blank && row === 2) lines.push('')
    if (shape.seed % 5 === 0 && row === 4)
      lines.push(
        'no json',
        '[1]',
        '{"c0": 1',
        '{"must": "x", "more": {"deep": [1, "a"]}}',
        '{"must": "x", "c8": {"a": 1.10}}',
      )
  }
  return `${shape.mark ? '\uFEFF' : ''}${lines.join(shape.end === '\r' ? '\n' : shape.end)}\n`
}

const documentOf = (shape: Shape): string =>
  `[${linesOf({ ...shape, seed: shape.seed * 5 + 1, mark: false, blank: false })
    .trim()
    .split(/\r?\n/)
    .filter((line) => line !== '')
    .join(',\n')}]`

const FORMATS = {
  csv: { of: csvOf, record: { format: 'csv' } },
  ndjson: { of: linesOf, record: { format: 'ndjson', ignore: ['*'] } },
  json: { of: documentOf, record: { format: 'json', path: '$[*]', ignore: ['*'] } },
}
const SELECT = COLUMNS.map(({ name }) => `${name}::VARCHAR AS ${name}`).join(', ')
/** Where the reason in a stream's quarantine names the line, a job has it in a column. */
const LINE = / \(line \d+\)$/
const sorted = (rows: unknown[]): string[] => rows.map((row) => JSON.stringify(row)).toSorted()

/** Runs a stream over the folder; returns where RAW is. */
async function streamed(format: keyof typeof FORMATS, folder: string): Promise<string> {
  const text = stringify({
    dataset: `way_${format}`,
    source: { files: { path: folder, pattern: `*.${format}` } },
    record: FORMATS[format].record,
    columns: COLUMNS.map(({ name, stream }) => ({ name, ...stream })),
    processed: { key: ['c0'] },
  })
  const { dataset, mistakes } = checkDataset(text)
  expect(mistakes).toEqual([])
  writeFileSync(join(home, `${format}.yaml`), text)
  const loaded = placeDataset(dataset as NonNullable<typeof dataset>, {
    path: join(home, `${format}.yaml`),
    home: join(home, 'stream'),
  })
  await streamOf(loaded, {
    engine: {},
    untilCaughtUp: true,
    metricsPort: undefined,
    signal: new AbortController().signal,
    onCommit: () => undefined,
    say: () => undefined,
  })
  return loaded.rawPath
}

test.each(Object.keys(FORMATS) as (keyof typeof FORMATS)[])(
  '%s: a job and a stream accept and refuse the same',
  async (format) => {
    const folder = join(home, format)
    mkdirSync(folder)
    const { of } = FORMATS[format]
    for (const [i, shape] of fc.sample(anyShape, { numRuns: FILES, seed: 5 }).entries())
      writeFileSync(join(folder, `${String(i).padStart(3, '0')}.${format}`), of(shape))
    const job = await runWork(
      workOf(home, {
        source: {
          path: `${format}/*.${format}`,
          format,
          columns: COLUMNS.map(({ name, job: more }) => ({ name, ...more })),
        },
        destination: { type: 'local', path: `out-${format}` },
      }),
    )

    const rawPath = await streamed(format, folder)
    const raw = `read_parquet('${rawPath}/**/*.parquet', union_by_name = true)`
    expect(sorted(await rowsOf([job.receipt.output[0]], `SELECT ${SELECT} FROM T`))).toEqual(
      sorted(await rowsOf([], `SELECT ${SELECT} FROM ${raw} WHERE reject_kind IS NULL`)),
    )
    const refused = await rowsOf(
      [job.receipt.output[1]],
      "SELECT parse_filename(file_path) AS file, line, coalesce(column_name, '') AS path, rule, value, error_message AS reason FROM T",
    )
    const quarantined = await rowsOf(
      [],
      `SELECT message_key AS file, reject_path AS path, reject_rule AS rule, reject_value AS value, reject_reason AS reason FROM ${raw} WHERE reject_kind = 'record'`,
    )
    const withLine = quarantined.some(({ reason }) => LINE.test(String(reason)))
    expect(
      sorted(
        refused.map(({ line, reason, ...reject }) => ({
          ...reject,
          reason: withLine ? `${reason} (line ${line})` : reason,
        })),
      ),
    ).toEqual(sorted(quarantined))
    expect([job.receipt.rows > FILES, refused.length > FILES]).toEqual([true, true])
  },
)
