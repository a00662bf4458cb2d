/**
 * Checks the records of a window and lays them out as columns: accepted rows, and rejects with their place in
 * the file. It treats records as a stream treats a message, without the columns for the origin of a RAW row.
 */
import type { StageRows } from '../core/engine.ts'
import { createColumn, ensureRows, setWords, type ColumnValues } from '../core/rows.ts'
import { appendText, type Slab } from '../core/slab.ts'
import type { Column, Dataset } from '../dataset/declaration.ts'
import { compileChecks, type RecordChecker, type Reject } from '../quality/record-check.ts'
import type { DocumentFailure, DocumentWindow } from './document-windows.ts'

/** The columns of a reject, in this order. */
export const FILE_REJECT_COLUMNS = [
  'file_path',
  'line',
  'column_name',
  'rule',
  'value',
  'error_message',
  'original',
] as const

/** Limits for the numbers of a column. A value beyond them breaks the rule `type.NAME`. */
export interface Bounds {
  name: string
  least: number
  most: number
}

export interface JudgedRows {
  accepted: StageRows
  /** Undefined if nothing was rejected. */
  rejects: StageRows | undefined
  /** Paths of columns with a value of the wrong type. */
  mistyped: Set<string>
}

export interface Judge {
  readonly kinds: ColumnValues['kind'][]
  /** Paths that drift would turn into columns (`evolve`), from the last call. */
  readonly discovered: Set<string>
  /** Leaves out all rows, rejects too, after `limit` accepted ones. */
  judge(window: DocumentWindow, file: string, limit: number): Promise<JudgedRows>
  /** The reject of an unreadable file. */
  refuse(slab: Slab, file: string, fault: DocumentFailure): StageRows
}

const REJECTED = 2

export interface JudgeOptions {
  bounds: (Bounds | undefined)[]
  /** For types that nobody declared: whether an accepted text survives the type unchanged. */
  givesBack: ((type: Column['type'], text: string) => boolean) | undefined
  /** The name of a column in rejects. */
  label(column: Column): string
}

export function createJudge(
  dataset: Dataset,
  columns: Column[],
  { bounds, givesBack, label }: JudgeOptions,
): Judge {
  const checker = compileChecks(dataset, columns)
  const kinds = checker.columns.map((check) => check.values.kind)
  const rejectRows = createRejectRows(new Map(columns.map((column) => [column.path, label(column)])))
  let skip = new Uint8Array(0)
  let selection = new Int32Array(0)
  return {
    kinds,
    discovered: checker.discovered,
    async judge({ slab, records, lineOf }, file, limit) {
      const { rows } = records
      if (skip.length < rows) [skip, selection] = [new Uint8Array(rows * 2), new Int32Array(rows * 2)]
      skip.fill(0, 0, rows)
      const found = checker.check(
        textOver(slab),
        { cells: records.cells, rows, issues: records.issues },
        skip,
      )
      columns.forEach((column, i) => {
        const bound = bounds[i]
        const judged = { slab, cells: records.cells, width: columns.length, index: i, rows, skip, found }
        if (bound !== undefined) checkBounds(column, bound, checker.columns[i].values, judged)
        if (givesBack !== undefined && column.type !== 'string')
          checkTexts(column, checker.columns[i].values, judged, givesBack)
      })
      let count = 0
      let last = rows
      for (let row = 0; row < rows; row += 1) {
        if (skip[row] !== 0) continue
        if (count === limit) {
          last = row
          break
        }
        selection[count++] = row
      }
      const rejects = found.filter((reject) => reject.kind === 'record' && reject.row < last)
      const laidOut =
        rejects.length === 0
          ? undefined
          : await rejectRows.layOut(slab, file, rejects, async (reject) => {
              const [start, end] = [records.extents[reject.row * 2], records.extents[reject.row * 2 + 1]]
              return { line: await lineOf(reject.row), start, length: end - start }
            })
      const text = laidOut?.text ?? { bytes: slab.bytes, end: slab.end }
      return {
        accepted: { text, selection, count, columns: checker.columns.map((check) => check.values) },
        rejects: laidOut,
        mistyped: mistypedIn(rejects),
      }
    },
    refuse(slab, file, fault) {
      return rejectRows.refuse(slab, file, fault)
    },
  }
}

const mistypedIn = (rejects: Reject[]): Set<string> =>
  new Set(rejects.filter((reject) => reject.rule.startsWith('type.')).map((reject) => reject.path))

interface Judged {
  slab: Slab
  cells: Int32Array
  width: number
  index: number
  rows: number
  skip: Uint8Array
  found: Reject[]
}

/**
 * Names the column's own type, which is narrower than the type of the check, and rejects values that only the
 * wider one holds.
 */
function checkBounds(
  column: Column,
  { name, least, most }: Bounds,
  values: ColumnValues,
  { slab, cells, width, index, rows, skip, found }: Judged,
): void {
  const reason = `${column.name} is not of type ${name}`
  for (const reject of found)
    if (reject.path === column.path && reject.rule === `type.${column.type}`)
      Object.assign(reject, { rule: `type.${name}`, reason })
  const numbers = values.kind === 'double' ? values.double : values.int32
  for (let row = 0; row < rows; row += 1) {
    if (skip[row] !== 0 || values.valid[row] === 0 || (numbers[row] >= least && numbers[row] <= most))
      continue
    skip[row] = REJECTED
    const cell = (row * width + index) * 2
    found.push({
      row,
      kind: 'record',
      rule: `type.${name}`,
      path: column.path,
      value: slab.bytes.toString('utf8', cells[cell], cells[cell] + cells[cell + 1]),
      reason,
    })
  }
}

/** Rejects values that the type accepts but would change: then the column does not have this type. */
function checkTexts(
  column: Column,
  values: ColumnValues,
  { slab, cells, width, index, rows, skip, found }: Judged,
  givesBack: NonNullable<JudgeOptions['givesBack']>,
): void {
  for (let row = 0; row < rows; row += 1) {
    if (skip[row] !== 0 || values.valid[row] === 0) continue
    const cell = (row * width + index) * 2
    const value = slab.bytes.toString('utf8', cells[cell], cells[cell] + cells[cell + 1])
    if (givesBack(column.type, value)) continue
    skip[row] = REJECTED
    found.push({ row, kind: 'record', rule: `type.${column.type}`, path: column.path, value, reason: '' })
  }
}

interface Place {
  line: number
  start: number
  length: number
}

interface RejectRows {
  layOut(
    slab: Slab,
    file: string,
    rejects: Reject[],
    placeOf: (reject: Reject) => Promise<Place>,
  ): Promise<StageRows>
  refuse(slab: Slab, file: string, fault: DocumentFailure): StageRows
}

/** `names`: the names of columns in rejects, by path. */
function createRejectRows(names: Map<string, string>): RejectRows {
  const columns = FILE_REJECT_COLUMNS.map((name) => createColumn(name === 'line' ? 'int64' : 'text'))
  let selection = new Int32Array(0)
  const ensure = (rows: number): void => {
    for (const column of columns) ensureRows(column, rows)
    if (selection.length < rows) selection = Int32Array.from({ length: rows * 2 }, (_, row) => row)
  }
  const setText = (slab: Slab, at: number, row: number, text: string | undefined): void => {
    columns[at].valid[row] = text === undefined ? 0 : 1
    if (text === undefined) return
    const start = appendText(slab, text)
    setSpan(columns[at], row, start, slab.end - start)
  }
  const set = (slab: Slab, row: number, line: number, [file, ...texts]: (string | undefined)[]): void => {
    setText(slab, 0, row, file)
    setWords(columns[1].words, row, line)
    columns[1].valid[row] = 1
    texts.forEach((text, i) => setText(slab, i + 2, row, text))
  }
  const rowsOf = (slab: Slab, count: number): StageRows => ({
    text: { bytes: slab.bytes, end: slab.end },
    selection,
    count,
    columns,
  })
  return {
    async layOut(slab, file, rejects, placeOf) {
      ensure(rejects.length)
      // Lines are counted forward.
      rejects.sort((a, b) => a.row - b.row)
      for (const [row, reject] of rejects.entries()) {
        const { line, start, length } = await placeOf(reject)
        const path = reject.path === '' ? undefined : (names.get(reject.path) ?? reject.path)
        set(slab, row, line, [file, path, reject.rule, reject.value, reject.reason])
        setText(slab, 6, row, slab.bytes.toString('utf8', start, start + length))
      }
      return rowsOf(slab, rejects.length)
    },
    refuse(slab, file, fault) {
      ensure(1)
      slab.end = 0
      const { whole } = fault
      const original = whole?.slab.bytes.toString('utf8', 0, whole.end)
      set(slab, 0, 1, [file, undefined, fault.rule, undefined, fault.reason, original])
      return rowsOf(slab, 1)
    },
  }
}

function setSpan(column: ColumnValues, row: number, start: number, length: number): void {
  column.spans[row * 2] = start
  column.spans[row * 2 + 1] = length
}

function textOver(slab: Slab): Parameters<RecordChecker['check']>[0] {
  return {
    get bytes(): Buffer {
      return slab.bytes
    },
    append(text: string): { start: number; length: number } {
      const start = appendText(slab, text)
      return { start, length: slab.end - start }
    },
  }
}
