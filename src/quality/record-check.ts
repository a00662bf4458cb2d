/**
 * All checks of a dataset over the records of one slab: every record ends accepted or quarantined, with the
 * first reason found. The checks run column by column, because one column's check then stays in the
 * processor's cache.
 */
import { ensureRows } from '../core/rows.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { quoted } from './array-check.ts'
import { compileColumn } from './column-check.ts'
import { createDiscovery, type Discovery } from './discovery.ts'
import { compileRule, ruleValue, type RuleCheck } from './rules.ts'
import type { TextBytes } from './text-bytes.ts'
import type { ColumnCheck } from './column.ts'
import type { ShapeFinding } from './findings.ts'

export interface Reject {
  row: number
  /**
   * A rejected record, or only a value of an accepted record (drift: discard_value, rules of severity warn).
   */
  kind: 'record' | 'note'
  rule: string
  path: string
  value: string
  reason: string
}

/** Records as a decoder found them in a text. */
export interface DecodedRecords {
  cells: Int32Array
  rows: number
  issues: ShapeFinding[]
}

export interface RecordChecker {
  readonly columns: ColumnCheck[]
  /** Paths that drift would turn into columns (`evolve`), from the last call. */
  readonly discovered: Set<string>
  /**
   * Checks rows [0, rows). `cells` holds (start, length) per row and column, row-major. Skips rows with
   * `skip[row] !== 0`. Sets skip[row] to 2 for each rejected record.
   */
  check(text: TextBytes, found: DecodedRecords, skip: Uint8Array): Reject[]
}

export function compileChecks(
  dataset: Pick<Dataset, 'drift' | 'rules' | 'record'>,
  columns: Column[],
): RecordChecker {
  // The XML scanner itself creates the objects of an array, and names their members like the sub-fields.
  const members = dataset.record.format === 'xml' ? 'name' : 'path'
  const checks = columns.map((column) => compileColumn(column, members))
  const rules = dataset.rules.map((rule) => compileRule(rule, checks))
  const discovery = dataset.drift === 'evolve' ? createDiscovery(dataset.record, columns) : undefined
  const keepsRow = dataset.drift === 'discard_value'
  return {
    columns: checks,
    discovered: discovery?.paths ?? new Set(),
    check(text, { cells, rows, issues }, skip) {
      const rejects: Reject[] = []
      discovery?.begin()
      const judgement = { drift: dataset.drift, discovery, text, skip, rejects }
      issues.forEach((_, i) => checkShape(judgement, issues, i))
      checks.forEach((check, column) => {
        ensureRows(check.values, rows)
        const ofColumn = { text, cells, index: column, width: checks.length, rows, skip }
        check.checkAll(ofColumn, (row, broken) => {
          const note = keepsRow && broken.startsWith('type.') && !check.column.required
          if (!note) skip[row] = 2
          const cell = (row * checks.length + column) * 2
          rejects.push(
            valueReject(check, {
              row,
              rule: broken,
              kind: note ? 'note' : 'record',
              value: () => quoted(text, cells[cell], cells[cell + 1]),
            }),
          )
        })
      })
      for (const rule of rules) checkRule(rule, rows, { text, skip, rejects })
      return rejects
    },
  }
}

interface Judgement {
  drift: Dataset['drift']
  discovery: Discovery | undefined
  text: TextBytes
  skip: Uint8Array
  rejects: Reject[]
}

function checkShape(
  { drift, discovery, text, skip, rejects }: Judgement,
  issues: ShapeFinding[],
  index: number,
): void {
  let issue = issues[index]
  const { row } = issue
  if (skip[row] !== 0) return
  if (issue.kind === 'malformed') {
    skip[row] = 2
    const value = quoted(text, issue.start, issue.length)
    rejects.push({ row, kind: 'record', rule: 'malformed', path: '', value, reason: issue.reason ?? '' })
    return
  }
  let reason =
    issue.kind === 'unexpected' ? `${issue.path} is not declared` : `${issue.path} appears more than once`
  if (issue.kind === 'unexpected' && discovery !== undefined) {
    const against = discovery.judge(issues, index)
    if (against === undefined) return
    issue = against.finding
    reason = against.reason
  }
  const note = drift === 'discard_value'
  if (!note) skip[row] = 2
  const value = quoted(text, issue.start, issue.length)
  const { path } = issue
  rejects.push({ row, kind: note ? 'note' : 'record', rule: `schema.${issue.kind}`, path, value, reason })
}

/** The reject of a value that breaks a rule, or of the item in its array. */
function valueReject(
  { column, fault }: ColumnCheck,
  { row, rule, kind, value }: Pick<Reject, 'row' | 'rule' | 'kind'> & { value: () => string },
): Reject {
  if (fault === undefined || fault.where === '') {
    const reason = reasonFor(column, rule, column.name)
    return { row, kind, rule, path: column.path, value: value(), reason }
  }
  const reason = reasonFor(fault.column, rule, `${column.name}${fault.where}`)
  return { row, kind, rule, path: `${column.path}${fault.where}`, value: fault.value, reason }
}

/** `name`: of the column, or of an item in its array. */
function reasonFor(column: Column, rule: string, name: string): string {
  const { type, minLength, maxLength } = column
  if (rule === 'schema.missing') return `${name} is required and has no value`
  if (rule === 'format.length')
    return `${name} must have ${minLength ?? 0} to ${maxLength ?? 'any number of'} characters`
  if (rule === 'format.pattern') return `${name} does not match ${column.pattern}`
  if (rule === 'format.values') return `${name} is not one of ${column.values?.join(', ')}`
  if (rule === 'type.object') return `${name} is not an object`
  if (column.array) return `${name} is not an array of ${column.fields === undefined ? type : 'objects'}`
  if (type === 'decimal') return `${name} is not a decimal(${column.precision},${column.scale})`
  if (type === 'date') return `${name} is not a date in format ${column.format}`
  if (type === 'timestamp') {
    const offset = column.format === 'iso' && column.timezone === '' ? ' with an offset' : ''
    return `${name} is not a timestamp in format ${column.format}${offset}, within the years 1 to 9999 in UTC`
  }
  return `${name} is not of type ${type}`
}

function checkRule(
  ruleCheck: RuleCheck,
  rows: number,
  { text, skip, rejects }: Pick<Judgement, 'text' | 'skip' | 'rejects'>,
): void {
  const { column, values } = ruleCheck.check
  for (let row = 0; row < rows; row += 1) {
    if (skip[row] !== 0 || ruleCheck.holds(text, row)) continue
    const note = ruleCheck.rule.severity === 'warn'
    if (!note) skip[row] = 2
    const value = values.valid[row] === 0 ? '' : ruleValue(ruleCheck.check, text, row)
    const { expectation } = ruleCheck.rule
    const reason = `${ruleCheck.rule.column} breaks ${expectation}`
    rejects.push({ row, kind: note ? 'note' : 'record', rule: expectation, path: column.path, value, reason })
  }
}
