/**
 * Texts for each type, valid, at the edges and wrong, from a seed; and what an independent model in Python
 * says of them. Any path that data takes can be held against `expectedOf`.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { ScalarType } from '../../src/dataset/declaration.ts'
import { createChance } from './chance.ts'
import { type Draw, createDraw } from './draw.ts'
import { EDGES_32, EDGES_64, wholeLike, decimalLike, doubleLike, epochLike } from './number-texts.ts'
import { DATE_FORMATS, TIME_FORMATS, ZONES, temporalLike } from './time-texts.ts'
import type { TypeSettings } from './type-settings.ts'

export interface TypeCase {
  column: TypeSettings
  text: string
}

/**
 * `value` is canonical: whole numbers and decimals as digits, doubles as their eight bytes in hexadecimal,
 * dates and times as ISO in UTC with six digits of fraction where there are any.
 */
export type Verdict = { verdict: 'value'; value: string } | { verdict: 'null' } | { verdict: 'refused' }

export const SCALAR_TYPES: readonly ScalarType[] = [
  'string',
  'uuid',
  'integer',
  'long',
  'double',
  'decimal',
  'boolean',
  'date',
  'timestamp',
]

/** What the model in Python says of each case. */
export async function expectedOf(cases: TypeCase[]): Promise<Verdict[]> {
  const python = ['.headrace/test-venv/bin/python'].find((path) => existsSync(path)) ?? 'python3'
  const output = await new Promise<string>((done, failed) => {
    const child = execFile(python, ['test/support/type_model.py'], { maxBuffer: 1 << 29 }, (error, stdout) =>
      error === null ? done(stdout) : failed(error),
    )
    child.stdin?.end(JSON.stringify(cases))
  })
  return JSON.parse(output) as Verdict[]
}

/** So many cases of a type; the same for the same seed. Texts hold no lone surrogates. */
export function typeCases(type: ScalarType, count: number, seed: number): TypeCase[] {
  const draw = createDraw(createChance(seed))
  return Array.from({ length: count }, () => {
    const column = settingsOf(type, draw)
    return { column, text: around(draw, textOf(column, draw)) }
  })
}

const DECIMALS: readonly (readonly [number, number])[] = [
  [1, 0],
  [1, 1],
  [5, 2],
  [18, 2],
  [18, 18],
  [20, 6],
  [38, 0],
  [38, 19],
  [38, 37],
  [38, 38],
]

function settingsOf(type: ScalarType, draw: Draw): TypeSettings {
  const trim = draw.often(0.1) ? { trim: false } : {}
  if (type === 'decimal') {
    const [precision, scale] = draw.oneOf(DECIMALS)
    return { type, precision, scale, ...trim }
  }
  if (type === 'date') return { type, format: draw.oneOf(DATE_FORMATS), ...trim }
  if (type !== 'timestamp') return { type, ...trim }
  const format = draw.oneOf(TIME_FORMATS)
  const mayLack = format === 'iso' || /[XZ]/.test(format)
  if (format.startsWith('epoch') || (mayLack && draw.often(0.3))) return { type, format, ...trim }
  return { type, format, timezone: draw.oneOf(ZONES), ...trim }
}

function textOf(column: TypeSettings, draw: Draw): string {
  const clean = CLEAN[column.type](draw, column)
  return draw.often(0.12) ? spoiled(draw, clean) : clean
}

const CLEAN: Record<ScalarType, (draw: Draw, column: TypeSettings) => string> = {
  string: textLike,
  uuid: uuidLike,
  integer: (draw) => wholeLike(draw, EDGES_32),
  long: (draw) => wholeLike(draw, EDGES_64),
  double: doubleLike,
  decimal: decimalLike,
  boolean: (draw) =>
    draw.oneOf([
      'true',
      'false',
      'TRUE',
      'False',
      'tRUe',
      '1',
      '0',
      'yes',
      'no',
      't',
      'f',
      '2',
      '01',
      'on',
      'tru\u00e9',
      'fal\u017fe',
      'null',
      '-1',
      '1.0',
    ]),
  date: (draw, { format = 'iso' }) => temporalLike(draw, format),
  timestamp: (draw, { format = 'iso' }) =>
    format.startsWith('epoch') ? epochLike(draw) : temporalLike(draw, format),
}

function uuidLike(draw: Draw): string {
  const hex = (count: number): string =>
    Array.from({ length: count }, () => draw.oneOf([...'0123456789abcdef'])).join('')
  const made = [8, 4, 4, 4, 12].map(hex).join('-')
  return draw.oneOf([
    made,
    made,
    made.toUpperCase(),
    made.replaceAll('-', ''),
    `{${made}}`,
    made.slice(1),
    `${made}0`,
    made.replace('-', '_'),
    made.replace(/.$/, 'g'),
  ])
}

const PIECES = [
  'a',
  'Z',
  ' ',
  '  ',
  '\t',
  '\n',
  '\u0000',
  '\u001f',
  '\u00a0',
  '\u2003',
  '\ufeff',
  '"',
  "'",
  '\\',
  '\\n',
  '\\u0041',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  'null',
  'true',
  'é',
  'e\u0301',
  'ß',
  'İ',
  '漢字',
  '🙂',
  '👩‍👩‍👧',
  '\u202e',
  '\uffff',
  '\u{10ffff}',
  '0',
  '-',
  '%',
  '\u007f',
  '\u0085',
  '\u2028',
]

function textLike(draw: Draw): string {
  return Array.from({ length: draw.below(12) }, () => draw.oneOf(PIECES)).join('')
}

/** One thing wrong: a character less, more, or another one. */
function spoiled(draw: Draw, text: string): string {
  const characters = [...text]
  const at = draw.below(characters.length + 1)
  const other = draw.oneOf([...' .,:-+/0123456789TZeE_x\u0660\u00a0\u2212\uff11\u017f', '\u0000', '\t'])
  characters.splice(at, draw.oneOf([0, 1, 1]), ...(draw.often(0.3) ? [] : [other]))
  return characters.join('')
}

/** White space that is trimmed, and some that is not. */
function around(draw: Draw, text: string): string {
  if (draw.often(0.85)) return text
  const blank = (): string =>
    draw.oneOf([
      '',
      ' ',
      '\t',
      '\n',
      '\r\n',
      '  ',
      '\u0000',
      '\u001f',
      '\u00a0',
      '\u2003',
      '\ufeff',
      '\u0085',
    ])
  return `${blank()}${text}${blank()}`
}
