/**
 * Finds the delimiter and the quote of a CSV sample: the pair with which its lines have the same number of
 * fields.
 */
import { readCsv, type CsvLine } from './sample.ts'

export interface CsvDialect {
  delimiter: string
  quote: string
  /** Fields of most lines. */
  width: number
  /** Share of the lines with this width, all without a stray quote. */
  agreeing: number
  proven: boolean
}

/** In order of preference. */
const USUAL = [',', '\t', ';', '|']
/**
 * Characters that separate in some files and are part of values in others. The first group with a proven
 * delimiter decides.
 */
const UNUSUAL = [/[^\x20-\x7e\p{L}\p{N}\s\u0085]|[~^]/u, /[!#$%&*+:=?@\\]/, / /]
const SEARCHED = 256 * 1024
const SEARCHED_LINES = 1_000
const ENOUGH = 0.8

export function findDialect(text: string, cut: boolean): CsvDialect {
  const head = text.slice(0, SEARCHED)
  const isPart = cut || head.length < text.length
  const usual = bestDialect(USUAL.map((delimiter) => dialectBy(head, delimiter, isPart)))
  if (usual !== undefined && usual.width > 1 && usual.agreeing >= ENOUGH) return usual
  const first = head.slice(0, Math.max(0, head.search(/[\r\n]/))) || head
  for (const group of UNUSUAL) {
    const delimiters = [...new Set(first)].filter((char) => char.length === 1 && group.test(char))
    const found = bestDialect(delimiters.map((delimiter) => dialectBy(head, delimiter, isPart)))
    if (found?.agreeing === 1) return found
  }
  if (usual !== undefined && usual.width > 1 && usual.agreeing >= 0.3) return { ...usual, proven: false }
  return singleColumn(head, isPart)
}

function bestDialect(found: CsvDialect[]): CsvDialect | undefined {
  return found.reduce<CsvDialect | undefined>(
    (most, dialect) =>
      dialect.width > 1 && (most === undefined || score(dialect) > score(most)) ? dialect : most,
    undefined,
  )
}

/** The number of agreeing lines counts most. On ties, the delimiter with more fields wins. */
function score(dialect: CsvDialect): number {
  return dialect.agreeing * 10 + Math.min(dialect.width, 50) / 50
}

function dialectBy(head: string, delimiter: string, cut: boolean): CsvDialect {
  const double = measured(head, delimiter, '"', cut)
  if (double.agreeing < 1) {
    const none = measured(head, delimiter, '', cut)
    if (none.agreeing > double.agreeing && none.width >= double.width && !areQuotes(head, delimiter, cut))
      return none
  }
  return head.includes("'") ? singleQuoted(head, delimiter, cut, double) : double
}

/**
 * Whether fields that begin with a quote also end with one. Then a line that disagrees has a stray quote, and
 * the file has quotes.
 */
function areQuotes(head: string, delimiter: string, cut: boolean): boolean {
  const fields = readCsv(head, delimiter, '', cut)
    .lines.slice(0, SEARCHED_LINES)
    .flatMap((line) => line.fields)
  const begun = fields.filter((field) => field?.startsWith('"') === true)
  return (
    begun.length >= 2 &&
    begun.filter((field) => field !== undefined && field.length > 1 && field.endsWith('"')).length >=
      begun.length * 0.9
  )
}

/**
 * A single quote is also an apostrophe. It is a quote if fields begin and end with it, and some contain the
 * delimiter or all are quoted.
 */
function singleQuoted(head: string, delimiter: string, cut: boolean, double: CsvDialect): CsvDialect {
  const single = measured(head, delimiter, "'", cut)
  if (single.agreeing < double.agreeing || single.width < 2) return double
  const plain = readCsv(head, delimiter, '', cut).lines.slice(0, SEARCHED_LINES)
  const fields = plain.flatMap((line) => line.fields).filter((field) => field?.startsWith("'") === true)
  const whole = fields.filter(
    (field) => field !== undefined && field.length > 1 && field.endsWith("'"),
  ).length
  const isProven =
    single.agreeing > double.agreeing
      ? whole > 0
      : fields.length >= 2 && whole === fields.length && everyRowHas(plain)
  return isProven ? single : double
}

function everyRowHas(lines: CsvLine[]): boolean {
  return lines.slice(1).every((line) => line.fields.some((field) => field?.startsWith("'") === true))
}

function measured(head: string, delimiter: string, quote: string, cut: boolean): CsvDialect {
  const lines = readCsv(head, delimiter, quote, cut).lines.slice(0, SEARCHED_LINES)
  const counts = new Map<number, number>()
  for (const line of lines)
    if (line.wrong === undefined) counts.set(line.fields.length, (counts.get(line.fields.length) ?? 0) + 1)
  const [width, agreeing] = [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most), [0, 0])
  return { delimiter, quote, width, agreeing: lines.length === 0 ? 0 : agreeing / lines.length, proven: true }
}

/** One field per line: a delimiter that the sample does not contain. */
function singleColumn(head: string, cut: boolean): CsvDialect {
  const delimiter = [...USUAL, '\u001f'].find((candidate) => !head.includes(candidate)) ?? '\u001f'
  const double = measured(head, delimiter, '"', cut)
  return double.agreeing === 1
    ? { ...double, proven: delimiter === ',' }
    : { ...measured(head, delimiter, '', cut), proven: delimiter === ',' }
}
