/**
 * Checks what a JSON Schema cannot: names that refer to each other, types that need a setting, patterns that
 * compile.
 */
import { ENGINE_COLUMNS } from '../core/added-columns.ts'
import { RESERVED_COLUMNS, UNUSABLE_COLUMN } from './declaration.ts'
import { checkColumn } from './column-meaning.ts'
import { isZone, type Finding, type YamlPath } from './finding.ts'
import { checkJsonPaths } from './json-paths.ts'
import type { RawColumn, RawDeclaration, RawRule } from './normalize.ts'
import { checkCsv, checkEncoding } from './record-meaning.ts'
import { checkRuleMeaning } from './rule-meaning.ts'
import { scheduleProblem } from './schedule.ts'
import { nearest } from '../core/suggest.ts'
import { checkXmlPaths } from './xml-paths.ts'

export function checkMeaning(raw: RawDeclaration): Finding[] {
  const names = raw.columns.map((column) => column.name)
  const ofColumns = raw.columns.map((column, i) => checkColumn(column, ['columns', i], raw.record.format))
  const known = new Set(names)
  // A rule is checked with the settings of its column, which must be valid.
  const sound = byName(raw.columns.filter((_, i) => ofColumns[i].length === 0))
  return [
    ...checkRecord(raw),
    ...checkNames(names),
    ...ofColumns.flat(),
    ...(raw.rules ?? []).flatMap((rule, i) => checkRule(rule, i, { names, known, sound })),
    ...checkProcessed(raw, names),
    ...checkRawZone(raw, names),
    ...checkSchedule(raw.upkeep ?? {}, 'upkeep'),
    ...checkMessageId(raw),
  ]
}

function checkRecord(raw: RawDeclaration): Finding[] {
  const { format, path = '' } = raw.record
  const found: Finding[] = []
  if ((format === 'ndjson' || format === 'csv') && path !== '')
    found.push({
      path: ['record', 'path'],
      message: `record.path does not apply to format ${format}, where each line is a record`,
      suggestion: 'Remove path.',
    })
  found.push(...checkCsv(raw), ...checkEncoding(raw))
  if (format === 'xml') found.push(...checkXmlPaths(raw))
  if (format === 'json' || (format === 'ndjson' && path === '')) found.push(...checkJsonPaths(raw))
  return found
}

function checkNames(names: string[]): Finding[] {
  const seen = new Set<string>()
  return names.flatMap((name, i): Finding[] => {
    const key = name.toLowerCase()
    if (ENGINE_COLUMNS.includes(key))
      return [
        {
          path: ['columns', i, 'name'],
          message: `${name} cannot be a column name: engines use it for the position of a row`,
          suggestion: `Choose another name, and add path: ${name}.`,
        },
      ]
    if (RESERVED_COLUMNS.includes(key))
      return [
        {
          path: ['columns', i, 'name'],
          message: `${name} is reserved for a column that Headrace adds to every table`,
          suggestion: 'Choose another name.',
        },
      ]
    if (key === UNUSABLE_COLUMN)
      return [
        {
          path: ['columns', i, 'name'],
          message: `${name} cannot be a column name: programs that read rows into objects lose its values`,
          suggestion: `Choose another name, and add path: ${name}.`,
        },
      ]
    if (seen.has(key)) return [{ path: ['columns', i, 'name'], message: `column ${name} is declared twice` }]
    seen.add(key)
    return []
  })
}

/** Columns by name. Of columns with the same name, the first counts. */
function byName(columns: RawColumn[]): Map<string, RawColumn> {
  return new Map(columns.toReversed().map((column) => [column.name, column]))
}

interface RuleColumns {
  names: string[]
  known: ReadonlySet<string>
  sound: ReadonlyMap<string, RawColumn>
}

function checkRule(
  rule: Record<string, RawRule>,
  i: number,
  { names, known, sound }: RuleColumns,
): Finding[] {
  const [expectation, body] = Object.entries(rule)[0]
  const at: YamlPath = ['rules', i, expectation]
  if (!known.has(body.column)) return [unknownColumn([...at, 'column'], body.column, names)]
  const column = sound.get(body.column)
  return column === undefined ? [] : checkRuleMeaning(expectation, body, column, at)
}

function checkProcessed(raw: RawDeclaration, names: string[]): Finding[] {
  const p = raw.processed
  if (p === undefined) return []
  const places = [...names, 'message_time', 'ingest_time', 'message_id']
  const known = new Set(places)
  const columns = byName(raw.columns)
  const found: Finding[] = []
  p.key.forEach((name, i) => {
    if (!known.has(name)) found.push(unknownColumn(['processed', 'key', i], name, places))
  })
  p.partition_by?.forEach((field, i) => {
    const at: YamlPath = ['processed', 'partition_by', i, 'column']
    const { transform = 'identity' } = field
    if (!known.has(field.column)) found.push(unknownColumn(at, field.column, places))
    else if (transform !== 'identity' && !isTemporal(field.column, columns.get(field.column)))
      found.push({
        path: at,
        message: `transform ${transform} needs a date or timestamp column; ${field.column} is neither`,
      })
    if (field.timezone !== undefined && !isZone(field.timezone))
      found.push({
        path: ['processed', 'partition_by', i, 'timezone'],
        message: `${field.timezone} is not an IANA time zone`,
      })
  })
  // A setting without effect, if accepted, would publish other rows than intended.
  if (p.latest_by !== undefined && p.keep !== 'latest')
    found.push({
      path: ['processed', 'latest_by'],
      message: 'latest_by applies only to keep: latest, but keep is first',
      suggestion: 'Add keep: latest, or remove latest_by.',
    })
  else if (p.latest_by !== undefined && !known.has(p.latest_by))
    found.push(unknownColumn(['processed', 'latest_by'], p.latest_by, places))
  if (p.horizon_days !== undefined && p.keep === 'latest')
    found.push({
      path: ['processed', 'horizon_days'],
      message: 'horizon_days applies only to keep: first; keep: latest compares with all published rows',
      suggestion: 'Remove horizon_days, or set keep: first.',
    })
  p.cluster_by?.forEach((name, i) => {
    if (!known.has(name)) found.push(unknownColumn(['processed', 'cluster_by', i], name, places))
  })
  found.push(...checkSchedule(p, 'processed'))
  return found
}

/** Schedules of a section, and its time zone. */
function checkSchedule(section: { schedule?: string; schedule_timezone?: string }, name: string): Finding[] {
  const found: Finding[] = []
  const wrong = section.schedule === undefined ? undefined : scheduleProblem(section.schedule)
  if (wrong !== undefined)
    found.push({
      path: [name, 'schedule'],
      message: `schedule ${section.schedule} is not a cron expression: ${wrong}`,
      suggestion: 'Write five fields: minute hour day month weekday, for example 5 * * * *.',
    })
  if (section.schedule_timezone !== undefined && !isZone(section.schedule_timezone))
    found.push({
      path: [name, 'schedule_timezone'],
      message: `${section.schedule_timezone} is not an IANA time zone`,
      suggestion: 'For example Europe/Berlin or UTC.',
    })
  return found
}

function checkRawZone(raw: RawDeclaration, names: string[]): Finding[] {
  const known = new Set([
    ...names,
    ...RESERVED_COLUMNS.filter((name) => name !== 'processed_date' && !ENGINE_COLUMNS.includes(name)),
  ])
  return (raw.raw?.cluster_by ?? []).flatMap((name, i) =>
    known.has(name) ? [] : [unknownColumn(['raw', 'cluster_by', i], name, names)],
  )
}

function checkMessageId(raw: RawDeclaration): Finding[] {
  if (raw.message_id?.from === 'header' && raw.message_id.header === undefined)
    return [
      {
        path: ['message_id'],
        message: 'message_id.from is header, but message_id.header is missing',
        suggestion: 'Add header with the name of the Kafka header.',
      },
    ]
  return []
}

function unknownColumn(path: YamlPath, name: string, known: string[]): Finding {
  return {
    path,
    message: `there is no column ${name}`,
    // Computed on access: of thousands of mistakes, only the first are shown.
    get suggestion() {
      const near = nearest(name, known)
      return near === undefined ? `Columns: ${known.join(', ')}.` : `Did you mean ${near}?`
    },
  }
}

function isTemporal(name: string, column: RawColumn | undefined): boolean {
  if (name === 'message_time' || name === 'ingest_time') return true
  return column?.type === 'date' || column?.type === 'timestamp'
}
