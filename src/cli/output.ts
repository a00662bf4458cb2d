/** Shows results: tables for people, JSON for machines. Results go to stdout, everything else to stderr. */
import { styleText } from 'node:util'
import { HeadraceError, reasonOf, type ErrorCode } from '../core/errors.ts'
import { foreignVariable } from '../host/settings.ts'

export const OUTPUT_FORMATS = ['table', 'json'] as const
export type OutputFormat = (typeof OUTPUT_FORMATS)[number]

export interface Output {
  readonly format: OutputFormat
  /** Rows as a table, or as a JSON array. */
  rows(rows: Record<string, unknown>[], empty?: string): void
  /** One thing: labelled lines, or a JSON object. */
  object(value: Record<string, unknown>): void
  text(text: string): void
  /** For people only, on stderr; nothing in JSON mode. */
  say(text: string): void
  /**
   * Something that a long job meets on its way, on stderr: a plain line, or `{"note": ...}` in JSON mode,
   * where a waiting command must not look as if it hung.
   */
  note(text: string): void
  /** One line that is overwritten on a terminal; elsewhere a plain line now and then. */
  progress(text: string): void
}

const PROGRESS_MS = { terminal: 100, plain: 2_000 }

export function createOutput(format: OutputFormat): Output {
  let lastProgress = 0
  let open = false
  const endProgress = (): void => {
    if (open) process.stderr.write('\n')
    open = false
  }
  const json = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`)
  return {
    format,
    rows(rows, empty = 'No results.') {
      endProgress()
      if (format === 'json') json(rows)
      else process.stdout.write(rows.length === 0 ? `${empty}\n` : tableText(rows))
    },
    object(value) {
      endProgress()
      if (format === 'json') json(value)
      else process.stdout.write(objectText(value))
    },
    text(text) {
      endProgress()
      process.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
    },
    say(text) {
      if (format === 'json') return
      endProgress()
      process.stderr.write(`${text}\n`)
    },
    note(text) {
      endProgress()
      process.stderr.write(format === 'json' ? `${JSON.stringify({ note: text })}\n` : `${text}\n`)
    },
    progress(text) {
      if (format === 'json') return
      const { isTTY } = process.stderr
      const now = Date.now()
      if (now - lastProgress < (isTTY ? PROGRESS_MS.terminal : PROGRESS_MS.plain)) return
      lastProgress = now
      open = isTTY
      process.stderr.write(isTTY ? `\r\u001b[K${text}` : `${text}\n`)
    },
  }
}

/** Errors before any work has begun: exit code 2. */
const USAGE_CODES: ReadonlySet<ErrorCode> = new Set([
  'usage',
  'dataset_not_found',
  'setting_invalid',
  'settings_file_invalid',
])

/**
 * `Error:` with what happened and where, then `Try:` with the next step; an object in JSON mode. Returns the
 * exit code.
 */
export function printError(error: unknown, format: OutputFormat): number {
  const known = error instanceof HeadraceError ? error : undefined
  if (format === 'json') process.stderr.write(`${JSON.stringify({ error: errorBody(error, known) })}\n`)
  else {
    process.stderr.write(`${paint('red', 'Error:')} ${reasonOf(error)}\n`)
    if (known !== undefined) process.stderr.write(`${paint('yellow', 'Try:')} ${known.next}\n`)
    else process.stderr.write(`${(error as Error).stack ?? ''}\n`)
  }
  return known !== undefined && USAGE_CODES.has(known.code) ? 2 : 1
}

function errorBody(error: unknown, known: HeadraceError | undefined): Record<string, unknown> {
  const message = reasonOf(error)
  if (known === undefined) return { code: 'internal', class: 'bug', message, next: '', params: {} }
  const { code, errorClass, next, params } = known
  return { code, class: errorClass, message, next, params }
}

function paint(color: 'red' | 'yellow' | 'bold', text: string): string {
  return process.stderr.isTTY && foreignVariable('NO_COLOR') === undefined ? styleText(color, text) : text
}

export function tableText(rows: Record<string, unknown>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = rows.map((row) => columns.map((column) => cellText(row[column])))
  const widths = columns.map((column, i) =>
    Math.min(60, Math.max(column.length, ...cells.map((row) => row[i].length))),
  )
  const numeric = columns.map((column) =>
    rows.every((row) => row[column] === null || row[column] === undefined || typeof row[column] === 'number'),
  )
  const line = (texts: string[]): string =>
    texts
      .map((text, i) => (numeric[i] ? text.padStart(widths[i]) : text.slice(0, widths[i]).padEnd(widths[i])))
      .join('  ')
      .trimEnd()
  return `${[line(columns), line(widths.map((width) => '-'.repeat(width))), ...cells.map(line)].join('\n')}\n`
}

function objectText(value: Record<string, unknown>): string {
  const width = Math.max(...Object.keys(value).map((key) => key.length))
  const lines = Object.entries(value).map(([key, item]) => `${key.padEnd(width)}  ${cellText(item)}`)
  return `${lines.join('\n')}\n`
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number')
    return Number.isInteger(value) ? value.toLocaleString('en-US') : value.toFixed(2)
  return typeof value === 'object' ? JSON.stringify(value) : String(value).replaceAll('\n', ' ')
}
