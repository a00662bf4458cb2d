/**
 * A home with generated files of a format, a declaration of them, and the comparison of what landed with what
 * the model reads.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import type { ScalarType } from '../../src/dataset/declaration.ts'
import { smallHome, type SmallHome } from './small-datasets.ts'
import { PYTHON, cliJson } from './system.ts'
import { columnPath, isCarried, typedFiles, type TextFormat, type TypedFile } from './typed-files.ts'
import {
  explained,
  typedRecords,
  type Difference,
  type Placed,
  type TypedRecords,
  type Way,
} from './typed-records.ts'
import { SCALAR_TYPES, expectedOf, typeCases, type TypeCase } from './type-texts.ts'

export const FORMATS: readonly TextFormat[] = ['csv', 'ndjson', 'json', 'xml']

/** Timestamps have most settings: their columns are a dataset of their own. */
export const FAMILIES: Readonly<Record<string, ScalarType[]>> = {
  values: SCALAR_TYPES.filter((type) => type !== 'timestamp'),
  times: ['timestamp'],
}

/** Some texts of each type: in all, and at once. */
interface Draw {
  count: number
  seed: number
  most?: number
}

/** The cases of some types, in rounds. */
export function* rounds(
  types: readonly ScalarType[],
  { count, seed, most = 10_000 }: Draw,
): Generator<TypeCase[]> {
  process.stderr.write(`seed ${seed}\n`)
  for (let done = 0; done < count; done += most)
    yield types.flatMap((type) => typeCases(type, Math.min(most, count - done), seed + done))
}

const ROOTS: Record<TextFormat, string> = { csv: '', ndjson: '', json: ', path: "$[*]"', xml: ', path: /r/x' }

/** CSV has no arrays. */
export const waysOf = (format: TextFormat): Way[] => (format === 'csv' ? ['top'] : ['top', 'item', 'field'])

/**
 * Records of the cases that a format can carry. `meant`: how a path takes a column, where it is not as it is
 * written.
 */
export async function recordsOf(
  cases: TypeCase[],
  format: TextFormat,
  {
    ways = waysOf(format),
    meant = (typeCase) => typeCase,
  }: { ways?: Way[]; meant?: (typeCase: TypeCase) => TypeCase } = {},
): Promise<TypedRecords> {
  const carried = cases.filter((typeCase) => isCarried(format, typeCase))
  expect(carried.length).toBeGreaterThan(cases.length * 0.9)
  return typedRecords(carried, await expectedOf(carried.map(meant)), ways)
}

export interface TypedSource extends SmallHome {
  records: TypedRecords
  format: TextFormat
  files: TypedFile[]
  /** Of the declaration, all but its name and source. */
  declaration: string
  path: string
}

/** `source`: in the declaration, when it is not a folder. `most`: records of a file. */
export function sourceOf(
  records: TypedRecords,
  format: TextFormat,
  { source = 'files: { path: in, pattern: "*" }', most }: { source?: string; most?: number } = {},
): TypedSource {
  const home = smallHome()
  const folder = join(home.home, 'in')
  mkdirSync(folder)
  const names = records.columns.map((column) => column.name)
  const files = typedFiles(format, names, records.records, most)
  for (const file of files) writeFileSync(join(folder, file.name), file.text)
  const columns = [
    { name: 'n', type: 'long', required: true },
    ...records.columns.map((column) => ({ ...column, path: columnPath(format, column.name) })),
  ]
  const declaration = `record: { format: ${format}${ROOTS[format]} }
columns: ${JSON.stringify(columns)}
processed: { key: [n] }
`
  const path = join(home.home, 'typed.yaml')
  writeFileSync(path, `dataset: typed\nsource: { ${source} }\n${declaration}`)
  return { ...home, records, format, files, declaration, path }
}

export const run = (
  { where, path }: TypedSource,
  verb: string,
  ...more: string[]
): Promise<Record<string, unknown>> => cliJson(where, [verb, path, ...more])

/** How a reject says where its record stands in the file: `none` where there are no rejects. */
type Places = 'ordinal' | 'line' | 'none'
type Where = { table: string } | { files: string[]; rejected: string[] }

export const zone = ({ home }: TypedSource, name: 'raw' | 'processed'): Where => ({
  table: join(home, 'tables', 'typed', name),
})

interface Comparison {
  differences: Difference[]
  cells: number
  rejects: number
}

/** What read_typed.py, which says what it takes, finds different. */
export async function readTyped(home: string, asked: Record<string, unknown>): Promise<Comparison> {
  const path = join(home, 'asked.json')
  writeFileSync(path, JSON.stringify(asked))
  const { stdout } = await promisify(execFile)(PYTHON, ['test/support/read_typed.py', path], {
    maxBuffer: 1 << 28,
  })
  return JSON.parse(stdout) as Comparison
}

async function compared(
  { home, records: all, files, format }: TypedSource,
  where: Where,
  by: Places,
): Promise<Comparison> {
  const { records, values, columns } = all
  const places = new Map<number, Placed>(files.flatMap((file) => file.places))
  // The reason of a reject in RAW names the line where lines are records.
  const lines = format === 'csv' || format === 'ndjson'
  const rejects = records.flatMap(({ n, refused }) => {
    const place = places.get(n) as Placed
    if (refused === undefined) return []
    const at = by === 'line' ? place.line : place.ordinal
    return [{ n, ...place, ...refused, path: columnPath(format, refused.path), lines, at }]
  })
  const asked = {
    ...where,
    values,
    names: columns.map((column) => column.name),
    accepted: records.filter((record) => record.refused === undefined).map(({ n }) => n),
    rejects: by === 'none' ? null : rejects,
  }
  return readTyped(home, asked)
}

/** Every value and every reject is what the model says, and there are many of both. */
export async function expectModelled(source: TypedSource, where: Where, by: Places): Promise<void> {
  const { differences, cells, rejects } = await compared(source, where, by)
  expect(differences.map((difference) => explained(source.records, difference))).toEqual([])
  expect(cells).toBeGreaterThan(source.records.texts / 20)
  if (by !== 'none') expect(rejects).toBeGreaterThan(source.records.texts / 20)
}
