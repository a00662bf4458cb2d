/**
 * Files made by chance, read by the stream and by a job of the service: the rows and the rejects that
 * Python's csv, json and lxml find under the rules of docs/reference. A run takes some of them; the long
 * suite `values` takes all 300.
 */
import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RUN_SEED } from '../support/chance.ts'
import { openSession, type DuckSession } from '../../src/engines/duckdb/session.ts'
import { generateFile, type GeneratedFile } from '../support/generated-files.ts'
import type { GeneratedColumn } from '../support/generated-parts.ts'
import { streamWithin } from '../support/inner-stream.ts'
import { openFolder } from '../support/service.ts'
import { PYTHON } from '../support/system.ts'
import { limitMs } from '../support/time-limits.ts'
import { runWork, workOf } from '../support/transfers.ts'

const FILES = Number(process.env.HEADRACE_TEST_GENERATED_FILES ?? 24)
/** To look at one file: HEADRACE_TEST_GENERATED_FILE=17. */
const ONLY = process.env.HEADRACE_TEST_GENERATED_FILE

type Cell = string | null | Cell[] | { [name: string]: Cell }
/** What a reject may name: any of what is wrong with its record. */
interface Named {
  path?: string
  name?: string
  steps?: string[]
  /** What a job calls the column of these steps. */
  label?: string | null
  value?: string
}
interface Expected {
  whole?: string
  rows: Cell[][]
  rejects: { line: number; cells: Named[] | null }[]
  /** Columns that the job adds by itself. */
  more?: string[]
}
interface Both {
  stream: Expected
  job: Expected
}
interface Reject {
  line: number | undefined
  rule: string
  path: string
  value: string
  reason: string
}
interface Found {
  rows: Cell[][]
  rejects: Reject[]
}

const home = openFolder('headrace-generated-')
let session: DuckSession
beforeAll(async () => {
  session = await openSession({ memoryBytes: 512 << 20, threads: 1, spillFolder: join(home, 'spill') })
})
afterAll(() => session.close())

function tasksOf(files: GeneratedFile[]): object[] {
  return files.map(({ bytes, name, ...file }) => {
    const path = join(home, name, 'in', name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, bytes)
    return { ...file, name, file: path }
  })
}

/** The second reading, in one process for all files. */
async function readByPython(tasks: object[]): Promise<Both[]> {
  const child = spawn(PYTHON, ['test/support/generated_files.py'], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(tasks))
  const answers = await text(child.stdout)
  return answers
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

/** JSON is YAML. */
const declarationOf = ({ record, columns, drift }: GeneratedFile): string =>
  `record: ${JSON.stringify(record)}\ncolumns: ${JSON.stringify(columns)}\ndrift: ${drift}\n`

async function readByStream(file: GeneratedFile, index: number): Promise<Found> {
  const place = join(home, file.name)
  const { files } = await streamWithin({
    declaration: `dataset: generated\nsource: { files: { path: in, pattern: "*" } }\n${declarationOf(file)}`,
    folder: join(place, 'in'),
    home: place,
    share: index % 2 === 0 ? 1 : 512,
  })
  const kind = (name: string): string[] => files.filter((path) => path.includes(`outcome=${name}/`))
  const fields = 'reject_rule, reject_path, reject_value, reject_reason'
  const order = "WHERE reject_kind = 'record' ORDER BY ordinal"
  const rejects = (await select(kind('quarantined'), fields, order)) as string[][]
  return {
    rows: await rowsOf(kind('accepted'), file.columns, 'ORDER BY ordinal'),
    rejects: rejects.map(([rule, path, value, reason]) => {
      const line = /\(line (\d+)\)$/.exec(reason)?.[1]
      return { line: line === undefined ? undefined : Number(line), rule, path, value, reason }
    }),
  }
}

const JOB_TYPES: Record<string, string> = {
  long: 'BIGINT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  date: 'DATE',
}

function jobColumn({ name, path, type, precision, scale, trim, required, array }: GeneratedColumn): object {
  const plain = type === 'decimal' ? `DECIMAL(${precision}, ${scale})` : (JOB_TYPES[type ?? ''] ?? 'VARCHAR')
  return { name, path, type: array === true ? `${plain}[]` : plain, trim, required }
}

async function readByJob(file: GeneratedFile, more: string[]): Promise<Found> {
  const { record, columns, byColumns } = file
  const { format, delimiter, quote, header, encoding } = record
  const how = byColumns
    ? { delimiter, quote, header, encoding, columns: columns.map(jobColumn) }
    : { declaration: `dataset: generated\n${declarationOf(file)}` }
  const source = { path: `in/${file.name}`, format, ...how }
  const place = join(home, file.name)
  const { receipt } = await runWork(workOf(place, { source, tenantFolder: place }))
  const [rows, rejects] = receipt.output
  const found =
    rejects === undefined ? [] : await select([rejects], 'line, rule, column_name, value, error_message')
  return {
    rows: await rowsOf(rows === undefined ? [] : [rows], [
      ...columns,
      ...more.map((name) => ({ name, path: name })),
    ]),
    rejects: found.map(
      ([line, rule, path, value, reason]) =>
        ({ line: Number(line), rule, path: path ?? '', value, reason }) as Reject,
    ),
  }
}

async function select(files: string[], fields: string, order = ''): Promise<Cell[][]> {
  if (files.length === 0) return []
  const list = files.map((path) => `'${path}'`).join(', ')
  return (await session.rows(`SELECT ${fields} FROM read_parquet([${list}]) ${order}`)) as Cell[][]
}

async function rowsOf(files: string[], columns: GeneratedColumn[], order?: string): Promise<Cell[][]> {
  const fields = columns.map(({ name, array }) => {
    const column = `"${name.replaceAll('"', '""')}"`
    return array === true ? `to_json(${column})::VARCHAR` : `${column}::VARCHAR`
  })
  const rows = await select(files, fields.join(', '), order)
  return rows.map((row) => row.map((cell, i) => canonical(cell as string | null, columns[i])))
}

/** As `type_model.py` writes values. */
function canonical(cell: string | null, { type, array }: GeneratedColumn): Cell {
  if (cell === null) return null
  if (array === true) return JSON.parse(cell) as Cell
  if (type === 'decimal') return cell.includes('.') ? cell.replace(/\.?0+$/, '') : cell
  if (type !== 'double') return cell
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleBE(Number(cell))
  return bytes.toString('hex')
}

/** Steps of a path that was reported, by the grammar of docs/reference/paths.md. */
const stepsOf = (path: string): string =>
  JSON.stringify(
    [...path.matchAll(/([^./[\]]+)|\[("(?:[^"\\]|\\.)*")\]/g)].map(([, plain, quoted]) =>
      quoted === undefined ? plain : JSON.parse(quoted),
    ),
  )

/** Whether a reject names one of the cells that are wrong, or says that there is no record. */
function isNamed({ rule, path, value, reason }: Reject, cells: Named[] | null): boolean {
  if (cells === null) return rule === 'malformed' && path === ''
  return cells.some((cell) => {
    if (cell.name !== undefined) {
      const names = [path, path.replace(/\[\d+\]$/, '')]
      return names.some((name) => name === cell.path || name === cell.name) && reason.startsWith(cell.name)
    }
    if (!rule.startsWith('schema.')) return false
    if (cell.steps !== undefined) return path === cell.label || stepsOf(path) === JSON.stringify(cell.steps)
    return cell.path === undefined
      ? path !== '' && (value ?? '').trim() === cell.value?.trim()
      : cell.path === path
  })
}

/** What differs, or undefined. `hasLines`: whether rejects say where they stand. */
function difference(found: Found, expected: Expected, hasLines: boolean): string | undefined {
  if (expected.whole !== undefined) {
    const is = found.rows.length === 0 && found.rejects.length === 1 && found.rejects[0].path === ''
    return is ? undefined : `the file is none (${expected.whole}): ${shown(found)}`
  }
  const { rows, rejects } = found
  const row = rows.findIndex((cells, i) => JSON.stringify(cells) !== JSON.stringify(expected.rows[i]))
  if (row >= 0) {
    const at = rows[row].findIndex(
      (cell, i) => JSON.stringify(cell) !== JSON.stringify(expected.rows[row]?.[i]),
    )
    return `row ${row}, column ${at}: ${shown(rows[row][at])} instead of ${shown(expected.rows[row]?.[at])}`
  }
  const bad = expected.rejects.findIndex(
    ({ line, cells }, i) =>
      rejects[i] === undefined || !isNamed(rejects[i], cells) || (hasLines && rejects[i].line !== line),
  )
  if (bad >= 0) return `reject ${bad}: ${shown(rejects[bad])} instead of ${shown(expected.rejects[bad])}`
  if (rows.length !== expected.rows.length) return `${rows.length} rows instead of ${expected.rows.length}`
  return rejects.length === expected.rejects.length
    ? undefined
    : `${shown(rejects)} instead of ${shown(expected.rejects)}`
}

const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 600) ?? 'nothing'

/** What the stream and the job read otherwise than Python. */
async function differencesOf(file: GeneratedFile, index: number, expected: Both): Promise<string[]> {
  const hasLines = ['csv', 'ndjson'].includes(file.record.format)
  const messagesOf = (way: string, wrong: string | undefined): string[] =>
    wrong === undefined ? [] : [`${file.name} ${way}: ${wrong}`]
  const ways = [
    readByStream(file, index).then(
      (found) => messagesOf('stream', difference(found, expected.stream, hasLines)),
      (error: Error) => messagesOf('stream', error.message),
    ),
    readByJob(file, expected.job.more ?? []).then(
      (found) => messagesOf('job', difference(found, expected.job, true)),
      (error: Error) => messagesOf('job', error.message),
    ),
  ]
  return (await Promise.all(ways)).flat()
}

test(
  `${FILES} files give the rows and rejects that Python finds (HEADRACE_TEST_SEED=${RUN_SEED})`,
  async () => {
    const indexes = ONLY === undefined ? Array.from({ length: FILES }, (_, i) => i) : [Number(ONLY)]
    const files = indexes.map((index) => generateFile(RUN_SEED, index))
    const expected = await readByPython(tasksOf(files))
    const differences: string[] = []
    for (const [i, file] of files.entries()) {
      const found = await differencesOf(file, indexes[i], expected[i])
      // A long run says early what is wrong.
      for (const line of found) process.stderr.write(`${line}\n`)
      differences.push(...found)
      if (ONLY === undefined) rmSync(join(home, file.name), { recursive: true })
    }
    expect(differences).toEqual([])
  },
  limitMs(180_000),
)
