/** CSV made by chance: odd headers, quotes where they belong and where not, lines that do not fit. */
import {
  oneIn,
  textOf,
  widthUpTo,
  type Encoding,
  type GeneratedColumn,
  type MadeText,
} from './generated-parts.ts'
import type { Chance } from './xml-namespaces.ts'

interface Dialect {
  delimiter: string
  quote: string
}

/** Everything that is decided once for a file. */
interface Making extends Dialect {
  chance: Chance
  letters: string[]
  width: number
  columns: (GeneratedColumn | undefined)[]
  ends: string[]
  hasStrays: boolean
}

const ODD_NAMES = [
  '',
  '',
  'id',
  'name',
  ' lead',
  'trail ',
  ' ',
  'a.b',
  'a/b',
  'a[0]',
  '["x"]',
  'a"b',
  '"',
  '""',
  "o'x",
  "'",
  '$',
  '$id',
  '@id',
  '#1',
  '##1',
  '#2',
  '*',
  '__proto__',
  'constructor',
  'toString',
  '1',
  '2024',
  'NULL',
  'true',
  '-',
  'tab\there',
  'two\nlines',
  'two\r\nlines',
  'a,b',
  'a;b',
  'a|b',
  '\\',
  '{x}',
  'x'.repeat(1_000),
  'ID',
  'Id',
]

export function makeCsv(chance: Chance, { letters, label }: Encoding): MadeText {
  const marks = [',', ';', '\t', '|', '§', '¦'].filter((mark) => mark < '\x7f' || letters.includes(mark))
  const dialect = { delimiter: chance.pick(marks), quote: chance.pick(['"', '"', "'", '']) }
  const width = widthUpTo(chance, 2_000)
  const hasHeader = !oneIn(chance, 8)
  const names = namesFor(chance, letters, width, dialect)
  const addresses = hasHeader ? addressesOf(names) : names.map((_, i) => String(i + 1))
  const columns = columnsFor(chance, addresses)
  if (hasHeader && oneIn(chance, 12)) declareTwins(columns, names)
  const ends = chance.pick([['\n'], ['\n'], ['\r\n'], ['\r'], ['\n', '\r\n', '\r']])
  const making: Making = { ...dialect, chance, letters, width, columns, ends, hasStrays: oneIn(chance, 4) }
  const rows = width > 300 ? 1 + chance.below(4) : chance.below(25)
  const lines = Array.from({ length: rows }, () => lineFor(making))
  const header = names.map((name) => fieldFor(making, name)).join(dialect.delimiter)
  const head = header === '' ? `${dialect.quote}${dialect.quote}` : header
  let text = [...(hasHeader ? [head] : []), ...lines].map((line) => line + endFor(making)).join('')
  if (oneIn(chance, 3)) text = text.replace(/[\r\n]+$/, '')
  const declared = columns.flatMap((column) => column ?? [])
  const ignore = chance.pick([
    ['*'],
    ['*'],
    [],
    columns.flatMap((column, i) => (column === undefined ? addresses[i] : [])),
  ])
  return {
    text,
    record: { format: 'csv', ...dialect, header: hasHeader, ignore },
    columns: declared,
    drift: oneIn(chance, 5) ? 'discard_value' : 'freeze',
    byColumns: true,
    ...(oneIn(chance, 10) && label !== 'utf-16le' ? { brokenAt: (chance.below(100) + 0.5) / 100 } : {}),
  }
}

function namesFor(chance: Chance, letters: string[], width: number, { delimiter, quote }: Dialect): string[] {
  const names = Array.from({ length: width }, (_, i) => {
    const odd = oneIn(chance, 3) ? `${textOf(chance, [...letters, 'x', ' '])}${i}` : chance.pick(ODD_NAMES)
    const name = width > 40 && !oneIn(chance, 8) ? `${odd}${i}` : odd
    return quote === '' ? name.replaceAll(delimiter, '').replaceAll(/[\r\n]/g, '') : name
  })
  // Without quotes, a header of one empty name would be no line.
  if (width === 1 && quote === '' && names[0] === '') names[0] = 'only'
  return names
}

/** As docs/reference/paths.md says of names that are missing or stand there twice. */
function addressesOf(names: string[]): string[] {
  const [all, twice] = [new Set(names), new Set(names.filter((name, i) => names.indexOf(name) !== i))]
  return names.map((name, i) => {
    if (name !== '' && !twice.has(name)) return name
    let address = `#${i + 1}`
    while (all.has(address)) address = `#${address}`
    return address
  })
}

const TYPES: Partial<GeneratedColumn>[] = [
  { type: 'long' },
  { type: 'decimal', precision: 12, scale: 3 },
  { type: 'double' },
  { type: 'boolean' },
  { type: 'date' },
  { trim: false },
  { required: true },
]

/** What a column may be beside a text; for all formats. */
export function kindFor(chance: Chance): Partial<GeneratedColumn> {
  return oneIn(chance, 4) ? chance.pick(TYPES) : {}
}

function columnsFor(chance: Chance, addresses: string[]): (GeneratedColumn | undefined)[] {
  const columns = addresses.map((path, i): GeneratedColumn | undefined =>
    oneIn(chance, 10) ? undefined : { name: `c${i}`, path, ...kindFor(chance) },
  )
  if (!columns.some((column) => column !== undefined)) columns[0] = { name: 'c0', path: addresses[0] }
  return columns
}

/**
 * A name that the header has twice, for one of its fields: right if the places of all others are declared.
 */
function declareTwins(columns: (GeneratedColumn | undefined)[], names: string[]): void {
  const twin = names.findIndex((name, i) => name !== '' && names.indexOf(name) !== i)
  const column = columns[twin]
  if (column !== undefined) column.path = names[twin]
}

const endFor = ({ chance, ends }: Making): string => {
  const end = chance.pick(ends)
  return oneIn(chance, 12) ? end + chance.pick(ends) : end
}

function lineFor(making: Making): string {
  const { chance, width, columns, delimiter, quote } = making
  const fields = columns.map((column) => fieldFor(making, valueFor(making, column)))
  // A line without anything is none.
  if (width === 1 && fields[0] === '') fields[0] = quote === '' ? 'x' : quote + quote
  if (making.hasStrays && quote !== '' && oneIn(chance, 5)) return strayLine(making, fields)
  if (!oneIn(chance, 12)) return fields.join(delimiter)
  const short = fields.map((field) => (/[\r\n]/.test(field) ? 'x' : field))
  return chance
    .pick([short.slice(0, chance.below(width) || 1), [...short, 'more'], [...short, '', '']])
    .join(delimiter)
}

function strayLine({ chance, delimiter, quote }: Making, fields: string[]): string {
  const at = chance.below(fields.length)
  const whole = fields.map((field) => (/[\r\n]/.test(field) && !oneIn(chance, 4) ? 'x' : field))
  whole[at] = chance.pick([
    `${quote}oops`,
    `${quote}3${quote}rd`,
    quote,
    `${quote}a${delimiter}b`,
    `24${quote}`,
  ])
  return whole.join(delimiter)
}

/** As it is written: in quotes where it must be, and sometimes where it need not. */
function fieldFor({ chance, delimiter, quote }: Making, value: string): string {
  if (quote === '') return value.replaceAll(delimiter, '').replaceAll(/[\r\n]/g, '')
  const mustBe = value.includes(delimiter) || /[\r\n]/.test(value) || value.startsWith(quote)
  return mustBe || oneIn(chance, 4) ? quote + value.replaceAll(quote, quote + quote) + quote : value
}

function valueFor(making: Making, column: GeneratedColumn | undefined): string {
  const { chance, letters, delimiter, quote, width } = making
  const isWrong = oneIn(chance, Math.max(30, width * 3))
  if (column?.type !== undefined && !isWrong) return typedText(chance, column.type)
  if (column?.required === true && !isWrong) return `r${chance.below(1_000)}`
  if (column === undefined && !oneIn(chance, Math.max(6, width / 2))) return ''
  const plain = ['a', 'b', '0', '.', ' ', '#', '\\', "'", '"', ...letters]
  const special = [...plain, '\t', '\n', '\r\n', '\r', delimiter, quote, quote + quote]
  return textOf(chance, oneIn(chance, 3) ? special : plain)
}

const TYPED: Record<string, string[]> = {
  long: ['0', '-7', '+5', '007', '9223372036854775807', '-9223372036854775808', ' 12 ', ''],
  decimal: ['0', '1.5', '-0.00', '.5', '5.', '123456789.123', '1.1000', ''],
  double: [
    '0.1',
    '1e5',
    '-0.0',
    '1e-400',
    '.5',
    '1.7976931348623157e308',
    '123456789012345678901234567890',
    '',
  ],
  boolean: ['true', 'FALSE', '1', '0', 'True', ''],
  date: ['2024-02-29', '0001-01-01', '9999-12-31', '1999-12-31', ''],
}

/** A text that the type takes. */
export function typedText(chance: Chance, type: string): string {
  return chance.pick(TYPED[type])
}
