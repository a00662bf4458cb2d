/** Proposes a key and a partition if the sample proves them; otherwise, the decision is left to you. */
import type { ScalarType } from './declaration.ts'
import { instantOf } from './infer-temporal.ts'

export interface KeyCandidate {
  name: string
  type: ScalarType
  /** Of a date or timestamp. */
  format: string
  position: number
  /**
   * A value for each record, in the form of its type. Undefined if a record has none, or if the column is an
   * array.
   */
  values: string[] | undefined
}

export interface KeyDraft {
  key: string[]
  /** Why these columns were chosen, or why none. */
  reason: string
}

const NAMED_ID =
  /(^|_)(id|uuid|guid|key|code|no|nr|num|number|isbn|ean|sku|iata|icao|iso|alpha_?[23]|cca[23]|slug|email|url|uri|hash|symbol|tzid)$|id$/
/** No key alone, but possibly part of one: a time or a number within a group, as a whole word of the name. */
const NAMED_PART =
  /(^|_)(year|month|week|day|hour|date|time|period|quarter|season|line|seq|sequence|index|position|rank|version|level|age|sex|type|group|round|source|target|from|to|origin|destination|parent|child)(_|$)/
/** Values that two records share by chance, even if the sample has no such case. */
const NEVER_KEY =
  /(^|_)((first|last|given|family|middle|sur)_?name|address|street|comments?|descriptions?|notes?|remarks?|text|title|latitude|longitude|lat|lon|lng|price|amount|cost|total)(_|$)/
/** Most columns to try in pairs and triples, so that a wide sample stays fast. */
const COMBINED = 12
/** Texts longer than this are descriptions. */
const LONGEST = 128
/** A single column of one record is always unique. */
const FEW = 2

export function inferKey(columns: KeyCandidate[], records: number): KeyDraft {
  if (records < FEW)
    return {
      key: [],
      reason:
        records === 0
          ? 'The sample has no record, so the draft has no key'
          : 'The sample has only one record, which cannot prove a key',
    }
  const full = columns.filter(
    (column) => column.values !== undefined && !['double', 'boolean'].includes(column.type),
  )
  const said = `${records.toLocaleString('en-US')} records of the sample`
  const single = ranked(full).find((column) => rank(column) <= SINGLE && isUnique([column], records))
  if (single !== undefined) return { key: [single.name], reason: `unique and never empty in all ${said}` }
  const parts = ranked(full)
    .filter((column) => distinct(column) > 1)
    .slice(0, COMBINED)
    .toSorted((a, b) => a.position - b.position)
  for (const [i, first] of parts.entries())
    for (const second of parts.slice(i + 1))
      if (isUnique([first, second], records)) return compositeKey([first, second], said)
  for (const [i, first] of parts.entries())
    for (const [j, second] of parts.slice(i + 1).entries())
      for (const third of parts.slice(i + j + 2))
        if (isUnique([first, second, third], records)) return compositeKey([first, second, third], said)
  return {
    key: [],
    reason: `No column without missing values is unique in the ${said}, and no two or three of them together are`,
  }
}

function compositeKey(columns: KeyCandidate[], said: string): KeyDraft {
  return {
    key: columns.map((column) => column.name),
    reason: `unique and never empty in all ${said}; no single column is`,
  }
}

/** Identifiers first. Measures (numbers with other names, further right) and long texts are no keys. */
function ranked(columns: KeyCandidate[]): KeyCandidate[] {
  return columns
    .filter((column) => rank(column) < Infinity)
    .toSorted((a, b) => rank(a) - rank(b) || a.position - b.position)
}

/** Columns up to this rank may be a key alone. */
const SINGLE = 5

function rank(column: KeyCandidate): number {
  if (column.type === 'uuid') return 0
  if (NEVER_KEY.test(column.name)) return Infinity
  if (/(^|_)id$/.test(column.name) && column.name.length <= 3) return 1
  if (NAMED_ID.test(column.name) && (column.type !== 'decimal' || column.name.endsWith('id'))) return 2
  if (NUMBERS.includes(column.type)) return rankOfNumber(column)
  if ((column.values ?? []).some((value) => value.length > LONGEST)) return Infinity
  return column.type === 'string' ? 4 : 5
}

const NUMBERS: readonly string[] = ['integer', 'long', 'decimal']

function rankOfNumber({ name, type, position }: KeyCandidate): number {
  if (position === 0 && type !== 'decimal') return 3
  return NAMED_PART.test(name) ? SINGLE + 1 : Infinity
}

function distinct(column: KeyCandidate): number {
  return new Set(column.values).size
}

function isUnique(columns: KeyCandidate[], records: number): boolean {
  const seen = new Set<string>()
  for (let row = 0; row < records; row += 1) {
    // Each part with its length: no separator can be part of a value.
    const parts = columns.map((column) => keyText(column, (column.values as string[])[row]))
    const text = parts.map((part) => `${part.length}:${part}`).join('')
    if (seen.has(text)) return false
    seen.add(text)
  }
  return true
}

/** The value that a table compares: two texts of one instant are equal. */
function keyText(column: KeyCandidate, value: string): string {
  if (column.type !== 'date' && column.type !== 'timestamp') return value
  return String(instantOf(value.trim(), column.type, column.format) ?? value)
}

export interface PartitionDraft {
  column: string
  transform: 'identity' | 'day' | 'month' | 'year'
  reason: string
}

/** Records of the sample that a partition needs on average: small files make a table slow. */
const RECORDS_OF_A_PARTITION = 10
const PARTITIONS = 400

/** By the first date or time that each record has: by day, or coarser if there are too many days. */
export function inferPartition(columns: KeyCandidate[], records: number): PartitionDraft | undefined {
  for (const column of columns) {
    if ((column.type !== 'date' && column.type !== 'timestamp') || column.values === undefined) continue
    const days = column.values.map((value) => dayOf(column, value))
    if (days.includes(undefined)) continue
    const dates = days.map((day) => new Date(Number(day) * 86_400_000).toISOString())
    for (const [unit, length] of [
      ['day', 10],
      ['month', 7],
      ['year', 4],
    ] as const) {
      const count = new Set(dates.map((date) => date.slice(0, length))).size
      if (count > PARTITIONS || count * RECORDS_OF_A_PARTITION > records) continue
      const transform = unit === 'day' && column.type === 'date' ? 'identity' : unit
      return {
        column: column.name,
        transform,
        reason: `${count.toLocaleString('en-US')} ${unit}${count === 1 ? '' : 's'} in ${records.toLocaleString('en-US')} records`,
      }
    }
  }
  return undefined
}

function dayOf(column: KeyCandidate, value: string): bigint | undefined {
  const instant = instantOf(value.trim(), column.type as 'date' | 'timestamp', column.format)
  if (instant === undefined || column.type === 'date') return instant
  const day = instant / 86_400_000_000n
  return instant < 0n && day * 86_400_000_000n !== instant ? day - 1n : day
}
