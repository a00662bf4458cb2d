/**
 * Reading in bulk only proves: whatever DuckDB takes as proven, value by value and file by file, the checks
 * of a stream accept with the same value. DuckDB is free to prove less, so that a share of proven cases is
 * asked for as well.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isProvable, proofOf, textFields, UNPROVEN } from '../../src/engines/duckdb/proof.ts'
import { openSession, type DuckSession } from '../../src/engines/duckdb/session.ts'
import { readExactly, type ExactResult } from '../../src/executions/exact-read.ts'
import { fileColumns } from '../../src/executions/declared-columns.ts'
import { planFiles, type FilePlan, type FileSettings } from '../../src/executions/file-plan.ts'
import { mayBeProven, readProven } from '../../src/executions/proven-read.ts'
import { openFolder } from '../support/service.ts'
import { textsOf } from '../support/column-texts.ts'
import { sampled } from '../support/chance.ts'
import { SCALAR_TYPES, expectedOf, typeCases } from '../support/type-texts.ts'
import { readTyped } from '../support/typed-sources.ts'
import type { TypeSettings } from '../support/type-settings.ts'
import { limitMs } from '../support/time-limits.ts'

const home = openFolder('headrace-proven-')
const LONG = process.env.HEADRACE_TEST_VALUES_LONG !== undefined
let session: DuckSession
beforeAll(async () => {
  session = await openSession({ memoryBytes: 512 << 20, threads: 2, spillFolder: join(home, 'spill') })
  mkdirSync(join(home, 'out'))
})
afterAll(() => session.close())

let files = 0
const written = (content: string | Buffer): string => {
  const path = join(home, `${(files += 1)}.csv`)
  writeFileSync(path, content)
  return path
}

function exactly(plan: FilePlan, path: string): Promise<ExactResult> {
  const input = {
    ...plan,
    files: [{ path, name: path }],
    limit: undefined,
    label: ({ name }: { name: string }) => name,
    onRows: () => undefined,
  }
  return readExactly(session, input, {
    staged: join(home, 'out', 'exact.parquet'),
    rejects: join(home, 'out', 'rejects.parquet'),
    memoryBytes: 256 << 20,
  })
}

const rows = (name: string, select = 'columns(*)::VARCHAR'): Promise<unknown[][]> =>
  session.rows(`SELECT ${select} FROM read_parquet('${join(home, 'out', name)}')`)
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`

/** Types, and the share of texts that the checks accept which must be proven, in percent. */
const TYPES: [string, number][] = [
  ['VARCHAR', 95],
  ['BIGINT', 60],
  ['INTEGER', 60],
  ['SMALLINT', 60],
  ['TINYINT', 60],
  ['DECIMAL(10, 2)', 60],
  ['DECIMAL(38, 10)', 60],
  ['DECIMAL(5, 0)', 60],
  ['DECIMAL(4, 4)', 40],
  ['DOUBLE', 60],
  ['REAL', 60],
  ['BOOLEAN', 60],
  ['DATE', 50],
  ['TIMESTAMP', 25],
  ['TIMESTAMPTZ', 25],
  ['UUID', 60],
]

/**
 * SQL that gives, by the texts of a file's first column, what the second one proves; null when it is not
 * proven.
 */
function proofSql({ columns }: FilePlan, path: string): string {
  const [, { column, duckType }] = columns
  const { cast, value } = proofOf(column, { text: 'c1', cast: 'c' }, { duckType, asWritten: false })
  const fields = columns.map((fileColumn) => ({ ...fileColumn, asWritten: false }))
  const source = textFields(
    { paths: [path], columns: fields, header: true, delimiter: ',', quote: '"' },
    false,
  )
  return `SELECT c0 AS n, (${value.replaceAll(`error('${UNPROVEN}')`, 'NULL')}) AS v FROM (SELECT c0, c1, ${cast} AS c FROM ${source})`
}

const proofsIn = (plan: FilePlan, path: string): Promise<unknown[][]> =>
  session.rows(`SELECT n, v::VARCHAR FROM (${proofSql(plan, path)})`)

test.each(sampled(SCALAR_TYPES, 3))(
  '%s: a proven text has the value that the model in Python reads',
  async (type) => {
    const cases = typeCases(type, LONG ? 100_000 : 3_000, 20_262)
    const groups = Object.groupBy(cases, ({ column }) => JSON.stringify(column))
    let proven = 0
    for (const [settings, group = []] of Object.entries(groups)) {
      const columns = [
        { name: 'n', type: 'BIGINT' },
        { name: 'v', ...(JSON.parse(settings) as TypeSettings) },
      ]
      const path = written(`n,v\n${group.map(({ text }, i) => `${i},${quoted(text)}`).join('\n')}\n`)
      const plan = await planFiles({ format: 'csv', columns }, [path])
      if (!isProvable(plan.columns[1].column)) continue
      const file = join(home, 'out', 'model.parquet')
      await session.run(
        `COPY (SELECT n::BIGINT AS n, v FROM (${proofSql(plan, path)}) WHERE v IS NOT NULL) TO '${file}' (FORMAT parquet)`,
      )
      const keys = (await session.rows(`SELECT n FROM read_parquet('${file}')`)).map(([n]) => Number(n))
      const verdicts = await expectedOf(
        keys.map((n) => ({ ...group[n], column: { timezone: 'UTC', ...group[n].column } })),
      )
      const values = keys.flatMap((n, i) => (verdicts[i].verdict === 'value' ? [[n, verdicts[i].value]] : []))
      const asked = {
        files: [file],
        rejected: [],
        names: ['v'],
        accepted: keys,
        values: { v: values },
        rejects: null,
      }
      expect(
        (await readTyped(home, asked)).differences.map((difference) => [
          difference,
          group[difference.n ?? 0],
        ]),
      ).toEqual([])
      proven += keys.length
    }
    // Of dates and times most have a format or a zone, which are no matter of proofs.
    expect(proven / cases.length).toBeGreaterThan(type === 'timestamp' || type === 'date' ? 0.001 : 0.2)
  },
  limitMs(900_000),
)

test.each(sampled(TYPES, 5))(
  '%s: a proven text is accepted, with the value that the proof gives',
  async (type, share) => {
    const texts = textsOf(type, LONG ? 100_000 : 4_000, 20_261)
    const path = written(`id,v\n${texts.map((text, i) => `${i},${quoted(text)}`).join('\n')}\n`)
    const columns = [
      { name: 'id', type: 'BIGINT' },
      { name: 'v', type },
    ]
    const plan = await planFiles({ format: 'csv', columns }, [path])
    const proven = await proofsIn(plan, path)
    expect((await exactly(plan, path)).rejected).toBeGreaterThan(type === 'VARCHAR' ? -1 : 0)
    const accepted = new Map((await rows('exact.parquet')).map(([id, value]) => [id, value]))
    expect(proven.length).toBe(texts.length)
    const found = proven.filter(([, proof]) => proof !== null)
    expect(
      found
        .filter(([id, proof]) => accepted.get(id) !== proof)
        .map(([id, proof]) => [texts[Number(id)], proof, accepted.get(id)]),
    ).toEqual([])
    const some = [...accepted.values()].filter((value) => value !== null).length
    expect(found.length / some).toBeGreaterThan(share / 100)
  },
)

const COLUMNS = [
  { name: 'a', type: 'BIGINT' },
  { name: 'b', type: 'VARCHAR' },
  { name: 'c', type: 'VARCHAR' },
]
const odd = fc.constantFrom(
  '"',
  '""',
  ' ',
  ',',
  '\n',
  '\r',
  '\r\n',
  '\t',
  '\0',
  'x',
  '\u00e9',
  '\uFEFF',
  ' "',
  '" ',
  '"x"',
  ', ',
  ',"',
  '",',
  '"",',
  ' ""',
  '\u2028',
  '\xa0',
  '#',
  "'",
  '\\',
  '1',
)
const text = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom(
      'x',
      'a b',
      '',
      'e\u0301',
      'it,s',
      '"hi" , then "yo"',
      ' pad ',
      'two\nlines',
      '\u4e2d',
    ),
  },
  { weight: 1, arbitrary: fc.array(odd, { maxLength: 3 }).map((all) => all.join('')) },
)
const field = fc
  .tuple(text, fc.boolean())
  .map(([value, always]) => (always || /[",\r\n]/.test(value) ? quoted(value) : value))
const line = fc.tuple(fc.constantFrom('1', '-5', '007', '9', ''), field, field).map((all) => all.join(','))
const file = fc
  .record({
    lines: fc.array(line, { minLength: 1, maxLength: 5 }),
    end: fc.constantFrom('\n', '\n', '\n', '\r\n', '\r\n', '\r'),
    last: fc.boolean(),
    mark: fc.boolean(),
    odds: fc.oneof(fc.constant([]), fc.array(fc.tuple(odd, fc.nat()), { maxLength: 2 })),
    byte: fc.oneof(
      { weight: 12, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.tuple(fc.constantFrom(0xff, 0xc0, 0xed), fc.nat()) },
    ),
  })
  .map(({ lines, end, last, mark, odds, byte }) => {
    let body = lines.join(end) + (last ? end : '')
    for (const [what, at] of odds)
      body = body.slice(0, at % (body.length + 1)) + what + body.slice(at % (body.length + 1))
    const bytes = Buffer.from(`${mark ? '\uFEFF' : ''}a,b,c${end}${body}`)
    if (byte !== null) bytes[bytes.length - 1 - (byte[1] % Math.max(1, body.length))] = byte[0]
    return bytes
  })

test(
  'a proven file has the rows that are read record by record, and no reject',
  async () => {
    const settings: FileSettings = { format: 'csv', columns: COLUMNS }
    let [tried, proven] = [0, 0]
    await fc.assert(
      fc.asyncProperty(file, async (bytes) => {
        const path = written(bytes)
        const plan = await planFiles(settings, [path])
        tried += 1
        if (!(await mayBeProven(plan, settings, [path]))) return
        const count = await readProven(session, plan, [path], join(home, 'out', 'proven.parquet'))
        if (count === undefined) return
        proven += 1
        const exact = await exactly(plan, path)
        expect([exact.rows, exact.rejected]).toEqual([count, 0])
        expect(await rows('proven.parquet')).toEqual(await rows('exact.parquet'))
      }),
      { numRuns: LONG ? 20_000 : 200, seed: 14, endOnFailure: true },
    )
    expect(proven / tried).toBeGreaterThan(0.15)
  },
  limitMs(900_000),
)

test('a large file with quotes in its fields is proven, wherever it is cut to look for blanks at quotes', async () => {
  const path = join(home, 'large.csv')
  const lines = Array.from(
    { length: 60_000 },
    (_, i) => `${i},"text, of ""row"" ${i}${'"'.repeat((i % 40) * 2)}"`,
  )
  const settings: FileSettings = {
    format: 'csv',
    columns: [
      { name: 'a', type: 'BIGINT' },
      { name: 'b', type: 'VARCHAR' },
    ],
  }
  const rowsOf = async (text: string): Promise<number | undefined> => {
    writeFileSync(path, text)
    return readProven(session, await planFiles(settings, [path]), [path], join(home, 'out', 'large.parquet'))
  }
  expect(await rowsOf(`a,b\n${lines.join('\n')}\n`)).toBe(lines.length)
  expect(await rowsOf(`a,b\n${lines.join('\n')}\n1, "x"\n2,y\n`)).toBe(undefined)
})

test('what a stream judges in a way that SQL does not know is not tried', () => {
  for (const more of [
    { pattern: 'a+' },
    { nulls: ['NA'] },
    { format: 'dd.MM.yyyy', type: 'DATE' },
    { timezone: 'Europe/Berlin', type: 'TIMESTAMP' },
    { values: ['a'] },
    { case: 'upper' },
  ])
    expect(
      isProvable(fileColumns([{ name: 'a', type: 'VARCHAR', ...more }], 'csv', true)[0].column),
      JSON.stringify(more),
    ).toBe(false)
})
