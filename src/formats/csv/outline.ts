/** The outline of a CSV sample: its delimiter and quote, the names of its header and their values. */
import {
  createField,
  type Outline,
  type OutlineFault,
  type SampleField,
  type SampleText,
} from '../../core/outline.ts'
import { addressesOf } from './columns.ts'
import { findDialect, type CsvDialect } from './sample-dialect.ts'
import { judgeHeader } from './header-line.ts'
import { readCsv, type CsvLine } from './sample.ts'

interface Table {
  text: string
  /** The first line, and the later lines with as many fields. */
  first: CsvLine
  rows: CsvLine[]
  ragged: CsvLine[]
}

/** CSV documents: files, or messages that each have a header. */
export function outlineCsv(samples: SampleText[]): Outline | OutlineFault {
  const [sample] = samples
  const dialect = findDialect(sample.text, sample.cut)
  const tables = samples.map(({ text, cut }) => tableOf(text, cut, dialect))
  const [table] = tables
  if (table === undefined)
    return { reason: 'it has no lines', instead: 'Name a sample that has a header and some rows.' }
  const fault = faultOf(table, dialect)
  if (fault !== undefined) return fault
  const notes = dialect.proven
    ? []
    : [
        dialect.width > 1
          ? `Only ${percent(dialect.agreeing)} of the lines have ${dialect.width} fields; check the delimiter`
          : 'The sample proves no delimiter, so each line is one field',
      ]
  const verdict = judgeHeader(
    table.first.fields,
    table.rows.map((row) => row.fields),
  )
  const same = tables.filter(
    (candidate): candidate is Table =>
      candidate !== undefined &&
      (verdict === 'data' || String(candidate.first.fields) === String(table.first.fields)),
  )
  const headerless = verdict === 'data'
  const names = headerless
    ? table.first.fields.map((_, i) => String(i + 1))
    : table.first.fields.map((field) => field ?? '')
  const rows = same.flatMap((document) => (headerless ? [document.first, ...document.rows] : document.rows))
  const fields = fieldsOf(names, rows, headerless)
  const ragged = same.flatMap((document) => document.ragged)
  notes.push(...headerNotes(verdict, names, fields), ...raggedNotes(ragged, names.length, rows.length))
  if (rows.length === 0)
    notes.push('The sample has a header but no rows, so all columns have type string. Set the types')
  return {
    record: '',
    records: rows.length,
    fields,
    settings: settingsOf(dialect, headerless),
    documents: same.map((document) => document.text),
    notes,
  }
}

function tableOf(text: string, cut: boolean, dialect: CsvDialect): Table | undefined {
  const { lines, behind } = readCsv(text, dialect.delimiter, dialect.quote, cut)
  const [first, ...others] = lines
  if (first === undefined) return undefined
  const isRow = (line: CsvLine): boolean =>
    line.wrong === undefined && line.fields.length === first.fields.length
  return {
    text: cut ? text.slice(0, behind) : text,
    first,
    rows: others.filter(isRow),
    ragged: others.filter((line) => !isRow(line)),
  }
}

function settingsOf(dialect: CsvDialect, headerless: boolean): Record<string, unknown> {
  return {
    ...(dialect.delimiter === ',' ? {} : { delimiter: dialect.delimiter }),
    ...(dialect.quote === '"' ? {} : { quote: dialect.quote }),
    ...(headerless ? { header: false } : {}),
  }
}

/** Faults: a first line that does not belong to the table, and rows that do not fit the header. */
function faultOf(table: Table, { width }: CsvDialect): OutlineFault | undefined {
  const { first, ragged } = table
  if (first.wrong !== undefined)
    return {
      reason: `Headrace cannot read its first line: ${first.wrong}`,
      instead: 'Correct the first line: it must have the names of the columns.',
    }
  // A header with more names than most lines have fields: the lines leave out empty fields at their end.
  if (width < 2 || first.fields.length >= width) return undefined
  const count = ragged.filter((line) => line.wrong === undefined && line.fields.length === width).length
  if (first.fields.length === width - 1 && first.fields.length > 1)
    return {
      reason: `the header has ${width - 1} names, but ${count} lines below it have ${width} fields`,
      instead:
        'Add the missing name, usually of the first or the last column (in R: write.csv, or col.names = NA).',
    }
  const begin = ragged.find((line) => line.wrong === undefined && line.fields.length === width)
  if (begin === undefined) return undefined
  const above = begin.line - 1
  return {
    reason: `the table begins at line ${begin.line} (${quoted(String(begin.fields.slice(0, 4).map((field) => field ?? '')))}); above it: ${quoted(table.text.slice(first.start, first.end))}`,
    instead: `Remove the first ${above} line(s), which do not belong to the table: tail -n +${begin.line} FILE`,
  }
}

/**
 * Columns of the header. A field without a name and without values (a delimiter at the end of each line) is
 * no column.
 */
function fieldsOf(names: string[], rows: CsvLine[], headerless: boolean): SampleField[] {
  const addresses = addressesOf(names)
  return names.flatMap((name, column) => {
    const field = createField(addresses[column], headerless ? [] : [name], 'text')
    if (name !== '' && addresses[column] !== name)
      field.notes.push(`the header has ${quoted(name)} more than once; this is field ${column + 1}`)
    rows.forEach((row, i) => {
      const value = row.fields[column]
      if (value === undefined) return
      field.rows.push(i)
      field.values.push(value)
    })
    return name === '' && field.values.every((value) => value === '') ? [] : [field]
  })
}

function headerNotes(verdict: string, names: string[], fields: SampleField[]): string[] {
  const notes: string[] = []
  if (verdict === 'data')
    notes.push(
      'By the types of the fields below it, the first line has values, not names. If it is a header, remove header: false and name the columns after it',
    )
  if (verdict === 'unsure')
    notes.push(
      'The draft takes the first line as a header, which nothing proves because all values are texts. If it is data, add header: false and use the paths "1", "2" and so on',
    )
  const left = names.length - fields.length
  if (left > 0)
    notes.push(
      `The draft leaves out ${left} field(s) that have neither a name nor a value: the lines end with a delimiter`,
    )
  return notes
}

function raggedNotes(ragged: CsvLine[], width: number, rows: number): string[] {
  if (ragged.length === 0) return []
  const [first] = ragged
  return [
    `${ragged.length} of ${ragged.length + rows} lines do not fit the header and will be quarantined. The first is line ${first.line}: ${first.wrong ?? `${first.fields.length} fields instead of ${width}`}`,
  ]
}

function percent(share: number): string {
  return `${Math.floor(share * 100)} %`
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
