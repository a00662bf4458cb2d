/**
 * Checks what a JSON Schema cannot check of the record: characters of CSV that a scanner can distinguish,
 * encodings that exist.
 */
import type { Finding, YamlPath } from './finding.ts'
import type { RawColumn, RawDeclaration } from './normalize.ts'
import { nearest } from '../core/suggest.ts'

const CSV_SETTINGS = ['delimiter', 'quote', 'header'] as const

export function checkCsv({ record, columns }: RawDeclaration): Finding[] {
  const { format } = record
  if (format !== 'csv')
    return CSV_SETTINGS.flatMap((setting) =>
      record[setting] === undefined
        ? []
        : [
            {
              path: ['record', setting],
              message: `record.${setting} applies only to format csv; the format is ${format}`,
            },
          ],
    )
  const ignored = new Set(record.ignore)
  const found = columns.flatMap((column, i) => checkField(column, i, record.header !== false, ignored))
  const { delimiter = ',', quote = '"' } = record
  const wrong = [...markProblem('delimiter', delimiter), ...(quote === '' ? [] : markProblem('quote', quote))]
  if (wrong.length === 0 && delimiter === quote)
    wrong.push({
      path: ['record', record.delimiter === undefined ? 'quote' : 'delimiter'],
      message: `delimiter and quote are both ${JSON.stringify(delimiter)}`,
      suggestion: 'For files without quotes, write quote: "".',
    })
  return [...found, ...wrong]
}

function checkField(column: RawColumn, i: number, header: boolean, ignored: ReadonlySet<string>): Finding[] {
  const { name, path = name } = column
  const at: YamlPath = ['columns', i]
  const key = [...at, column.path === undefined ? 'name' : 'path']
  if (column.array === true || column.fields !== undefined)
    return [{ path: at, message: `${name} is an array, but a CSV field holds one value` }]
  if (!header && !/^#?[1-9]\d*$/.test(path))
    return [
      {
        path: key,
        message: `${path} is not a field: in a file without a header, fields are named 1, 2, 3 and so on`,
        suggestion: `Write path: "${i + 1}", or the number of the field that holds ${name}.`,
      },
    ]
  // `*` stands for every field without a column. So it never means a field named `*`.
  if (path !== '*' && ignored.has(path))
    return [
      {
        path: key,
        message: `record.ignore lists ${path}, but column ${name} reads it`,
        suggestion: 'Remove one of the two.',
      },
    ]
  return []
}

/** Characters by the names that people write for them. */
const NAMED: Record<string, string> = {
  tab: '\\t',
  '\\t': '\\t',
  t: '\\t',
  '^i': '\\t',
  '0x09': '\\t',
  tsv: '\\t',
  comma: ',',
  semicolon: ';',
  pipe: '|',
  colon: ':',
  space: ' ',
  blank: ' ',
  caret: '^',
  tilde: '~',
  quote: '\\"',
  doublequote: '\\"',
  apostrophe: "'",
  none: '',
  null: '',
  '\\u0001': '\\u0001',
  '\\x01': '\\u0001',
  '^a': '\\u0001',
  '\\001': '\\u0001',
  section: '§',
}

/** Characters that cannot be a delimiter or a quote. */
const NOT_MARKS: readonly (readonly [RegExp, string])[] = [
  [/^[\r\n\u0085\u2028\u2029]$/, 'a line end'],
  [/^\p{L}$/u, 'a letter'],
  [/^\p{N}$/u, 'a digit'],
  [/^[\ufeff\p{M}\p{Cs}]$/u, 'a combining mark, a byte order mark or half a character'],
]

function markProblem(setting: 'delimiter' | 'quote', mark: string): Finding[] {
  const path = ['record', setting]
  const named = NAMED[mark.toLowerCase()]
  const suggestion = named === undefined ? undefined : `Write ${setting}: "${named}".`
  const shown = JSON.stringify(mark)
  if ([...mark].length !== 1)
    return [
      {
        path,
        message: `${setting} must be one character, found ${mark === '' ? 'none' : `${[...mark].length}: ${shown}`}`,
        suggestion:
          suggestion ??
          (setting === 'delimiter'
            ? 'For example ";" or "\\t" or "|".'
            : 'For example "\'", or "" for files without quotes.'),
      },
    ]
  const kind = NOT_MARKS.find(([characters]) => characters.test(mark))?.[1]
  return kind === undefined
    ? []
    : [
        {
          path,
          message: `${setting} ${shown} is ${kind}, and values can contain it`,
          suggestion: suggestion ?? 'Use a character that is not a letter, a digit or a line end.',
        },
      ]
}

const ENCODINGS = [
  'utf-8',
  'utf-16le',
  'utf-16be',
  'windows-1250',
  'windows-1251',
  'windows-1252',
  'windows-1253',
  'windows-1254',
  'windows-1257',
  'iso-8859-1',
  'iso-8859-2',
  'iso-8859-5',
  'iso-8859-7',
  'iso-8859-15',
  'koi8-r',
  'macintosh',
  'ibm866',
  'shift_jis',
  'euc-jp',
  'iso-2022-jp',
  'gb18030',
  'gbk',
  'big5',
  'euc-kr',
]
/** Other names of encodings, which the platform does not know. */
const KNOWN_AS: Record<string, string> = {
  ansi: 'windows-1252',
  cp936: 'gbk',
  cp949: 'euc-kr',
  cp950: 'big5',
  cp932: 'shift_jis',
  'utf-8-sig': 'utf-8',
  utf8bom: 'utf-8',
  latin9: 'iso-8859-15',
  'latin-1': 'iso-8859-1',
  'latin-9': 'iso-8859-15',
  'utf-16-le': 'utf-16le',
  'utf-16-be': 'utf-16be',
  utf16: 'utf-16le',
  utf16le: 'utf-16le',
  utf16be: 'utf-16be',
  sjis: 'shift_jis',
}

export function checkEncoding({ record: { encoding } }: RawDeclaration): Finding[] {
  if (encoding === undefined || isEncoding(encoding)) return []
  const near = KNOWN_AS[encoding.toLowerCase()] ?? nearest(encoding.toLowerCase(), ENCODINGS)
  return [
    {
      path: ['record', 'encoding'],
      message: `unknown encoding ${JSON.stringify(encoding)}`,
      suggestion:
        near === undefined
          ? `For example ${ENCODINGS.slice(5, 6)}, iso-8859-15, shift_jis or utf-16le.`
          : `Did you mean ${near}?`,
    },
  ]
}

function isEncoding(label: string): boolean {
  try {
    return new TextDecoder(label).encoding !== ''
  } catch {
    return false
  }
}
