/** A dataset whose table partitions have odd values, and its tables as older versions laid them out. */
import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isLaidOut } from '../../src/core/data-path.ts'
import { encodePath } from '../../src/core/table-schema.ts'
import { decodePath, type Action } from '../../src/lakehouse/actions.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { openTable, type Table } from '../../src/lakehouse/table.ts'
import { openSmallApp, type SmallApp } from './small-app.ts'

export const TYPED = ['day', 'flag', 'n', 'x', 'price', 'at']
export const DECLARATION = `dataset: odd
source: { files: { path: in, pattern: "*" } }
record: { format: ndjson }
message_id: { from: none }
columns:
  - { name: id, type: integer, required: true }
  - { name: part, trim: false, nulls: [] }
  - { name: day, type: date }
  - { name: flag, type: boolean }
  - { name: n, type: long }
  - { name: x, type: double }
  - { name: price, type: decimal, precision: 10, scale: 2 }
  - { name: at, type: timestamp }
raw: { archive: archive }
processed:
  key: [id]
  partition_by: [${['part', ...TYPED].map((column) => `{ column: ${column} }`).join(', ')}]
`

type Rec = Record<string, unknown>
export const PARTS = [
  'a',
  'b c',
  'd/e=f',
  'ü%41',
  '12:30',
  '%',
  '\t\n',
  '日本',
  '{x}[y]^#?*"\'\\',
  '.',
  '..',
  '~+&',
  '',
  null,
]

/** A record for each odd text and more, whose other values are odd as well, or null. */
export function records(first: number): Rec[] {
  return PARTS.map((part, i) => ({
    id: first + i,
    part,
    ...(i % 3 === 0
      ? {}
      : {
          day: `${i % 2 === 0 ? '0099' : '2026'}-01-02`,
          flag: i % 2 === 0,
          n: i - 5,
          x: 10 ** (i * 25),
          price: `${i}.50`,
        }),
    ...(i % 4 === 0 ? {} : { at: `2026-01-02T03:04:05.${i}+05:30` }),
  }))
}

export interface World extends SmallApp {
  send(records: Rec[]): Promise<void>
}

export function world(declaration = DECLARATION): World {
  const small = openSmallApp(declaration)
  return {
    ...small,
    async send(all) {
      small.write(all)
      await small.stream()
    },
  }
}

export async function namesIn(root: string): Promise<{ name: string; laidOut: boolean }[]> {
  const table = await openTable(createLocalStore(root))
  const { files, metadata } = (table as Table).snapshot
  return [...files.values()].map((file) => ({
    name: decodePath(file.path),
    laidOut: isLaidOut(decodePath(file.path), metadata.partitionColumns, file.partitionValues),
  }))
}

/** Puts the files of a table where older versions put them, and states timestamps and empty texts as they did. */
export function asBefore(root: string): void {
  const log = join(root, '_delta_log')
  for (const entry of readdirSync(log).filter((name) => name.endsWith('.json'))) {
    const lines = readFileSync(join(log, entry), 'utf8').trimEnd().split('\n')
    const actions = lines.map((line) => JSON.parse(line) as Action)
    actions.forEach(({ add }, i) => {
      if (add === undefined) return
      const { outcome, ingest_date: date, ...others } = add.partitionValues
      const folder = outcome === undefined ? `data/${entry}` : `data/${date}/${entry}`
      const folders = Object.entries(others).map(
        ([column, value]) =>
          `/${column}=${value === null ? '__HIVE_DEFAULT_PARTITION__' : encodeURIComponent(value)}`,
      )
      const old = `${folder}${folders.join('')}/${outcome ?? 'part'}-${i}.parquet`
      mkdirSync(dirname(join(root, old)), { recursive: true })
      renameSync(join(root, decodePath(add.path)), join(root, old))
      add.path = encodePath(old)
      if (others.at) others.at = others.at.replace('T', ' ').replace(/\.?0*Z$/, '+00')
      // Older versions stated empty texts, which are null.
      if (others.part === null) others.part = ''
      add.partitionValues = { ...add.partitionValues, ...others }
    })
    writeFileSync(join(log, entry), `${actions.map((action) => JSON.stringify(action)).join('\n')}\n`)
  }
  for (const entry of readdirSync(root))
    if (entry.includes('=')) rmSync(join(root, entry), { recursive: true })
}
