/**
 * From the checks through the casts of DuckDB's COPY into a file and back: each value that a check accepts is
 * in the file as the model in Python has it, as a column, in an array and in an array's objects. No cast
 * fails or changes anything.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RUN_SEED } from '../support/chance.ts'
import type { StageColumn, StageEngine } from '../../src/core/engine.ts'
import { ensureRows } from '../../src/core/rows.ts'
import { normalizeColumn, type RawColumn } from '../../src/dataset/normalize.ts'
import { openSession, type DuckSession } from '../../src/engines/duckdb/session.ts'
import { openStageEngine } from '../../src/engines/duckdb/stage.ts'
import { deltaType } from '../../src/planning/table-layout.ts'
import { columnKind, compileColumn } from '../../src/quality/column-check.ts'
import { laidOut } from '../support/laid-out-texts.ts'
import { SCALAR_TYPES, expectedOf, typeCases } from '../support/type-texts.ts'
import type { TypeSettings } from '../support/type-settings.ts'

const COUNT = Number(process.env.HEADRACE_TEST_TYPE_TEXTS ?? 2_000)
const folder = mkdtempSync(join(tmpdir(), 'headrace-staged-'))
const options = { memoryBytes: 512 << 20, threads: 1, spillFolder: join(folder, 'spill') }
let engine: StageEngine
let reader: DuckSession

beforeAll(async () => {
  engine = await openStageEngine(options)
  reader = await openSession({ ...options, spillFolder: join(folder, 'spill2') })
})

afterAll(async () => {
  engine.close()
  await reader.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Writes texts of one column through checks, stage and COPY; returns the file and its statistics. */
async function written(
  raws: RawColumn[],
  textsOf: string[][],
  path: string,
): Promise<{ stats: { minValues: Record<string, unknown>; maxValues: Record<string, unknown> } }> {
  const columns = raws.map((raw) => normalizeColumn(raw))
  const rows = textsOf[0].length
  const { text, cells, end } = laidOut(textsOf.flat())
  const checks = columns.map((column) => compileColumn(column))
  const broken: string[] = []
  checks.forEach((check, i) => {
    ensureRows(check.values, rows)
    check.checkAll(
      { text, cells: cells.subarray(i * rows * 2), index: 0, width: 1, rows, skip: new Uint8Array(rows) },
      (row, rule) => broken.push(`${columns[i].name} ${rule} ${JSON.stringify(textsOf[i][row])}`),
    )
  })
  expect(broken).toEqual([])
  const stage = await engine.createStage(
    columns.map((column): StageColumn => ({
      name: column.name,
      kind: columnKind(column),
      type: deltaType(column),
    })),
  )
  stage.append({
    text: { bytes: text.bytes as Buffer, end: end() },
    selection: Int32Array.from({ length: rows }, (_, i) => i),
    count: rows,
    columns: checks.map((check) => check.values),
  })
  const file = await (
    await stage.rotate()
  )?.write(
    path,
    [],
    columns.map((column) => column.name),
    'zstd',
  )
  return {
    stats: JSON.parse(file?.stats ?? '{}') as {
      minValues: Record<string, unknown>
      maxValues: Record<string, unknown>
    },
  }
}

/** SQL that shows a value of a column exactly, as the model writes it. */
function shown(value: string, { type, scale = 0 }: TypeSettings): string {
  if (type === 'timestamp') return `epoch_us(${value})::VARCHAR`
  if (type === 'decimal')
    return scale === 0
      ? `${value}::VARCHAR`
      : `regexp_replace(regexp_replace(${value}::VARCHAR, '\\.?0+$', ''), '^(-?)(\\.|$)', '\\10\\2')`
  if (type === 'string' || type === 'uuid') return `hex(${value})`
  return `${value}::VARCHAR`
}

/** The model's value in the same form. */
function modelled(value: string | null, { type }: TypeSettings): string | null {
  if (value === null) return null
  if (type === 'string' || type === 'uuid') return Buffer.from(value).toString('hex').toUpperCase()
  if (type !== 'timestamp') return value
  const [, seconds, fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(value) as RegExpExecArray
  return String(BigInt(Date.parse(`${seconds}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0')))
}

function doubleBits(value: string | null): string | null {
  if (value === null) return null
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(Number(value))
  return bytes.toString('hex')
}

test.each(SCALAR_TYPES)('%s: the file holds what the model reads', { timeout: 600_000 }, async (type) => {
  const cases = typeCases(type, COUNT, RUN_SEED)
  const expected = await expectedOf(cases)
  const groups = new Map<string, { text: string; value: string | null }[]>()
  cases.forEach(({ column, text }, i) => {
    const verdict = expected[i]
    const key = JSON.stringify(column)
    const group = groups.get(key) ?? []
    groups.set(key, group)
    if (verdict.verdict !== 'refused')
      group.push({ text, value: verdict.verdict === 'value' ? verdict.value : null })
  })
  let files = 0
  for (const [key, group] of groups) {
    if (group.length === 0) continue
    const settings = JSON.parse(key) as TypeSettings
    const texts = group.map((cell) => cell.text)
    const raws: RawColumn[] = [
      { name: 'c', ...settings },
      { name: 'a', array: true, ...settings },
      {
        name: 's',
        array: true,
        fields: [{ name: 'n' }, { name: 'v', ...settings }, { name: 'l', array: true, ...settings }],
      },
    ]
    const quoted = texts.map((text) => JSON.stringify(text))
    const path = join(folder, `${type}-${(files += 1)}.parquet`)
    await written(
      raws,
      [
        texts,
        quoted.map((text) => `[null,${text}]`),
        quoted.map((text) => `[{"n":"q\\"\\u0000x","v":${text},"l":[${text}]},{}]`),
      ],
      path,
    )
    const rows = (await reader.rows(
      `SELECT ${['c', 'a[2]', 's[1].v', 's[1].l[1]'].map((value) => shown(value, settings)).join(', ')}, len(a), a[1] IS NULL, s[2].v IS NULL, hex(s[1].n) FROM read_parquet('${path}')`,
    )) as (string | null)[][]
    const exact = (value: string | null): string | null => (type === 'double' ? doubleBits(value) : value)
    const differences = rows.flatMap((row, i) => {
      const wanted = modelled(group[i].value, settings)
      const found = row.slice(0, 4).map(exact)
      return found.every((value) => value === wanted) ? [] : [{ settings, text: texts[i], wanted, found }]
    })
    expect(differences.slice(0, 5)).toEqual([])
    expect(new Set(rows.map((row) => JSON.stringify(row.slice(4))))).toEqual(
      new Set([JSON.stringify(['2', true, true, '71220078'])]),
    )
  }
})

test('bounds in the statistics hold the values, also where JSON has no exact number or year', async () => {
  const raws: RawColumn[] = [
    { name: 't', type: 'timestamp' },
    { name: 'd', type: 'decimal', precision: 38, scale: 6 },
    { name: 'm', type: 'decimal', precision: 18, scale: 2 },
    { name: 'l', type: 'long' },
  ]
  const { stats } = await written(
    raws,
    [
      ['0001-01-01T00:00:00.000001Z', '9999-12-31T23:59:59.999999Z'],
      ['12345678901234.123457', '12345678901234.123458'],
      ['0.01', '1234567890.12'],
      ['9007199254740993', '9223372036854775807'],
    ],
    join(folder, 'stats.parquet'),
  )
  expect(stats.minValues).toEqual({ m: 0.01 })
  expect(stats.maxValues).toEqual({ m: 1234567890.12 })
})
