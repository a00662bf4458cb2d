/**
 * CSV against Python's csv module: files of any header, delimiter, quoting, width and line end, written by
 * Python and by us, give the same rows.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RUN_SEED } from '../support/chance.ts'
import { addressesOf } from '../../src/formats/csv/columns.ts'
import { createCsvScanner } from '../../src/formats/csv/scanner.ts'
import { createConverter, encodingNamed } from '../../src/formats/charset.ts'
import { readCsv } from '../support/csv.ts'
import { PYTHON } from '../support/system.ts'

const FILES = Number(process.env.HEADRACE_TEST_PROPERTY_RUNS ?? 300)

interface Given {
  delimiter: string
  quote: string
  text: string
}

/** Strict: what Python refuses in strict mode is malformed here; `rows` leaves out lines without anything. */
const READ = `
import csv, io, json, sys
csv.field_size_limit(1 << 30)
given = json.load(open(sys.argv[1], encoding='utf-8'))
def read(one, strict):
    try:
        options = dict(quotechar=one['quote']) if one['quote'] else dict(quoting=csv.QUOTE_NONE)
        return [row for row in csv.reader(io.StringIO(one['text'], newline=''), delimiter=one['delimiter'], strict=strict, **options) if row]
    except csv.Error as error:
        return str(error)
json.dump([[read(one, True), read(one, False)] for one in given], open(sys.argv[2], 'w', encoding='utf-8'))
`

function python<T>(script: string, given: unknown): T {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-oracle-'))
  try {
    writeFileSync(join(folder, 'in.json'), JSON.stringify(given))
    execFileSync(PYTHON, ['-c', script, join(folder, 'in.json'), join(folder, 'out.json')], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    return JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8')) as T
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Files in which every quote is that of a field, or text of a field without quotes. Some rows have too many
 * fields or too few; none of those over several lines, where we look at the lines and Python does not.
 */
function files(): Given[] {
  const widths = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: 1, max: 12 }) },
    { weight: 1, arbitrary: fc.constantFrom(100, 400, 2_000) },
  )
  const file = fc.tuple(fc.constantFrom(...MARKS), widths).chain(([[delimiter, quote], width]) => {
    const rows = fc.array(
      fc.tuple(row(delimiter, quote, width), fc.constantFrom('\n', '\r\n', '\r', '\n\n')),
      {
        maxLength: width > 50 ? 4 : 30,
      },
    )
    const names = fc.array(NAME, { minLength: width, maxLength: width })
    return fc.tuple(names, rows, fc.boolean()).map(([[first, ...others], lines, isClosed]) => {
      // A line without anything is none, and would not be the header.
      const header = [width === 1 ? `h${first}` : first, ...others]
        .join(delimiter)
        .replaceAll(quote || '\0', '')
      const body = lines.map(([fields, end]) => fields.join(delimiter) + end).join('')
      return { delimiter, quote, text: `${header}\n${isClosed ? body : body.replace(/[\r\n]+$/, '')}` }
    })
  })
  return fc.sample(file, { numRuns: FILES, seed: RUN_SEED })
}

const MARKS = [',"', ';"', '\t"', "|'", '§"', '¦¬', ',', '\u0001"', ' "'].map((marks) => [
  marks[0],
  marks[1] ?? '',
])
const NAME = fc.oneof(
  fc.string({ unit: fc.constantFrom('n', ' ', '.', '/', '#', '@', '1', 'ü'), maxLength: 5 }),
  fc.constantFrom('', 'id', 'name'),
)
const CHARACTERS = [
  'a',
  'b',
  '0',
  '.',
  ' ',
  '\t',
  '\n',
  '\r',
  '\r\n',
  'é',
  '€',
  '🙂',
  '\u0000',
  '\u200b',
  '#',
  '',
]

/** Fields as they are written, one in ten times too many or too few. */
function row(delimiter: string, quote: string, width: number): fc.Arbitrary<string[]> {
  const text = fc.string({ unit: fc.constantFrom(...CHARACTERS, delimiter, quote), maxLength: 8 })
  const isSpecial = (value: string): boolean =>
    value.includes(delimiter) || /[\r\n]/.test(value) || value.startsWith(quote)
  const field = fc.tuple(text, fc.boolean()).map(([value, isQuoted]) => {
    if (quote === '') return value.replaceAll(delimiter, '').replaceAll(/[\r\n]/g, '')
    return isSpecial(value) || isQuoted ? quote + value.replaceAll(quote, quote + quote) + quote : value
  })
  const oneLine = field.map((value) => value.replaceAll(/[\r\n]/g, ''))
  return fc.oneof(
    { weight: 9, arbitrary: fc.array(field, { minLength: width, maxLength: width }) },
    { weight: 1, arbitrary: fc.array(oneLine, { minLength: 1, maxLength: width + 1 }) },
  )
}

test(`${FILES} files give the rows that Python reads, strict and not (HEADRACE_TEST_SEED=${RUN_SEED})`, () => {
  const given = files()
  const oracle = python<[string[][] | string, string[][] | string][]>(READ, given)
  for (const [i, { text, delimiter, quote }] of given.entries()) {
    const [strict, loose] = oracle[i]
    expect(typeof strict, `${JSON.stringify(text)} is well-formed`).not.toBe('string')
    expect(strict).toEqual(loose)
    const [names, ...rows] = strict as string[][]
    const paths = addressesOf(names)
    const shape = { paths, required: [], ignore: [], delimiter, quote, header: true }
    for (const window of [7, Infinity]) {
      if (window === 7 && text.length > 3_000) continue
      const found = readCsv(createCsvScanner(shape), text, window)
      const label = JSON.stringify({ text: text.slice(0, 2_000), delimiter, quote, window })
      const right = found.rows.flatMap((row, at) =>
        found.malformed.has(at) ? [] : [row.map((value) => value ?? '')],
      )
      expect(right, label).toEqual(rows.filter((row) => row.length === names.length))
      expect(found.issues, label).toEqual(
        rows
          .filter((row) => row.length !== names.length)
          .map((row) => `malformed ${row.length} fields instead of ${names.length}`),
      )
    }
  }
})

const ENCODINGS = [
  ['windows-1250', 'cp1250'],
  ['windows-1251', 'cp1251'],
  ['windows-1252', 'cp1252'],
  ['windows-1253', 'cp1253'],
  ['windows-1254', 'cp1254'],
  ['windows-1257', 'cp1257'],
  ['iso-8859-1', 'latin-1'],
  ['iso-8859-2', 'iso8859-2'],
  ['iso-8859-5', 'iso8859-5'],
  ['iso-8859-7', 'iso8859-7'],
  ['iso-8859-9', 'iso8859-9'],
  ['iso-8859-15', 'iso8859-15'],
  ['koi8-r', 'koi8-r'],
  ['ibm866', 'cp866'],
  ['macintosh', 'mac_roman'],
]

test('encodings of one byte give the characters that Python knows, and no others', () => {
  const all = python<(number | null)[][]>(
    `
import json, sys
def code(byte, name):
    try:
        return ord(bytes([byte]).decode(name))
    except UnicodeDecodeError:
        return None
json.dump([[code(byte, name) for byte in range(256)] for name in json.load(open(sys.argv[1]))], open(sys.argv[2], 'w'))`,
    ENCODINGS.map(([, name]) => name),
  )
  for (const [i, [label]] of ENCODINGS.entries()) {
    expect(encodingNamed(label)).toBeDefined()
    const ours = Array.from({ length: 256 }, (_, byte) => {
      const text = createConverter(label)?.push(Buffer.of(byte), true)
      return Buffer.isBuffer(text) ? (text.toString('utf8').codePointAt(0) ?? null) : null
    })
    const different = ours.flatMap((code, byte) =>
      code === all[i][byte]
        ? []
        : [`${byte.toString(16)}: ${code?.toString(16)} ${all[i][byte]?.toString(16)}`],
    )
    expect(different, label).toEqual([])
  }
})
