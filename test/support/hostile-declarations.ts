/**
 * Declarations that cost as much as they can, of about so many bytes each: a field with an expensive value,
 * or many of what is compared with each other.
 */
import { DATASET_SCHEMA } from '../../src/dataset/schema.ts'
import { aliasBomb } from './alias-bomb.ts'
import { repeat } from './costly-values.ts'

interface Schema {
  properties?: Record<string, Schema>
  items?: Schema
}

/**
 * The path of every field of a declaration, and of the items of its lists.
 */
export function declarationFields(
  schema: Schema = DATASET_SCHEMA as Schema,
  path: string[] = [],
): string[][] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => [
    [...path, name],
    ...declarationFields(inner, [...path, name]),
  ])
  if (schema.items === undefined) return own
  const items = [...path, '0']
  return [
    ...own,
    ...(schema.items.properties === undefined ? [items] : declarationFields(schema.items, items)),
  ]
}

const SOUND: Record<string, unknown> = {
  dataset: 'x',
  source: { files: { path: 'in' } },
  record: { format: 'json', path: '$' },
  columns: [{ name: 'a' }],
}
const xml = (record: object = {}): object => ({ record: { format: 'xml', path: '/a', ...record } })

/** A declaration with one field as JSON text, the rest sound. */
export function withField(path: string[], value: string, sound: object = {}): string {
  const mark = '@@hostile@@'
  const whole: Record<string, unknown> = structuredClone({ ...SOUND, ...sound })
  if (path[0] === 'source') whole.source = {}
  if (path[0] === 'rules') whole.rules = [{ [path[2]]: { column: 'a' } }]
  let at: Record<string, unknown> = whole
  path.forEach((step, i) => {
    const next = path[i + 1]
    if (i === path.length - 1) at[step] = mark
    else at[step] ??= next === '0' ? [{}] : {}
    at = at[step] as Record<string, unknown>
  })
  return JSON.stringify(whole).replace(`"${mark}"`, () => value)
}

/** So many of something, one at least. */
const many = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: Math.max(1, Math.floor(count)) }, (_, i) => make(i))
/** Columns, as many as a share of the bytes has room for, and one may have. */
const columns = (bytes: number, make: (i: number) => object): object[] => many(Math.min(2_000, bytes), make)
const named = (bytes: number): object[] => columns(bytes / 200, (i) => ({ name: long('c', i) }))
/** A name of twenty characters. */
const long = (letter: string, i: number): string => `${letter.repeat(20 - String(i).length)}${i}`
/** A name that no column has, as long as theirs. */
const strange = (bytes: number): string[] => many(bytes / 30, (i) => long('d', i))
const last = (bytes: number): string => long('c', named(bytes).length - 1)

const made = (part: object): string => plain({ ...SOUND, ...part })

/** YAML in one line, with few quotes: they count twice in a request. */
function plain(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(plain).join(',')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([key, inner]) => `${plain(key)}: ${plain(inner)}`)
      .join(',')}}`
  return typeof value === 'string' && /^[a-z$/@][\w$/@.:-]*$/i.test(value) ? value : JSON.stringify(value)
}

const NAMES: Record<string, (bytes: number) => string> = {
  'unknown fields': (bytes) => many(bytes / 14, (i) => `key${i}: 1`).join('\n'),
  'columns without a right type': (bytes) =>
    made({ columns: many(bytes / 30, () => ({ name: 1, type: 'x' })) }),
  'columns of one name': (bytes) => made({ columns: columns(bytes / 40, () => ({ name: 'a' })) }),
  columns: (bytes) => made({ columns: columns(bytes / 60, (i) => ({ name: `c${i}`, path: `a.b.c${i}` })) }),
  rules: (bytes) =>
    made({
      columns: named(bytes),
      rules: many(bytes / 100, () => ({ expect_column_values_to_not_be_null: { column: last(bytes) } })),
    }),
  'rules for no column': (bytes) =>
    made({
      columns: named(bytes),
      rules: many(bytes / 100, (i) => ({ expect_column_values_to_not_be_null: { column: long('d', i) } })),
    }),
  'a key of many columns': (bytes) =>
    made({ columns: named(bytes), processed: { key: many(bytes / 40, () => last(bytes)) } }),
  'a key of strange columns': (bytes) => made({ columns: named(bytes), processed: { key: strange(bytes) } }),
  'partitions by day': (bytes) =>
    made({
      columns: named(bytes),
      processed: {
        key: ['a'],
        partition_by: many(bytes / 60, () => ({ column: last(bytes), transform: 'day' })),
      },
    }),
  'clusters of strange columns': (bytes) =>
    made({ columns: named(bytes), raw: { cluster_by: strange(bytes / 2) } }),
  'settings of Spark': (bytes) =>
    made({ spark: { settings: Object.fromEntries(many(bytes / 14, (i) => [`k${i}`, 'v'])) } }),
  'sets of years in time zones': (bytes) => {
    const zones = Intl.supportedValuesOf('timeZone').slice(0, Math.ceil(bytes / 5_000))
    return made({
      columns: zones.map((timezone, i) => ({ name: `c${i}`, type: 'timestamp', timezone })),
      rules: zones.map((_, i) => ({
        expect_column_values_to_be_in_set: {
          column: `c${i}`,
          value_set: many(350, (year) => `${1801 + year}-01-01`),
        },
      })),
    })
  },
  ...Object.fromEntries(
    ['double', 'decimal'].map((type) => [
      `a bound of a ${type}`,
      (bytes: number) =>
        made({
          columns: [{ name: 'a', type, ...(type === 'decimal' ? { precision: 9, scale: 2 } : {}) }],
          rules: many(2, (i) => ({
            expect_column_values_to_be_between: {
              column: 'a',
              min_value: `${i === 0 ? '' : '1.'}${repeat('0', bytes / 2)}x`,
            },
          })),
        }),
    ]),
  ),
}

const PATHS: Record<string, (bytes: number) => string> = {
  ...Object.fromEntries(
    ['json', 'xml', 'csv'].map((format) => [
      `ignored paths of ${format}`,
      (bytes: number) =>
        made({
          columns: columns(bytes / 200, (i) => ({ name: `c${i}` })),
          record: {
            format,
            path: { json: '$', xml: '/a' }[format],
            ignore: many(bytes / 14, (i) => `p${i}`),
          },
        }),
    ]),
  ),
  'a long path of records': (bytes) =>
    made({
      columns: columns(bytes / 100, (i) => ({ name: `c${i}`, path: `$.a.c${i}` })),
      record: { format: 'json', path: `$${repeat('.a', bytes / 2)}` },
    }),
  'a long path of records, and ignored ones': (bytes) =>
    made({
      record: {
        format: 'json',
        path: `$${repeat('.a', bytes / 2)}`,
        ignore: many(bytes / 20, (i) => `p${i}`),
      },
    }),
  'arrays beside each other': (bytes) =>
    made({ columns: columns(bytes / 60, (i) => ({ name: `c${i}`, path: `a.b.c${i}`, array: true })) }),
  'arrays in each other': (bytes) =>
    made({
      columns: columns(Math.sqrt(bytes / 2), (i) => ({
        name: `c${i}`,
        path: `a${'.a'.repeat(i)}`,
        array: true,
      })),
    }),
  'columns of XML': (bytes) =>
    made({ ...xml(), columns: columns(bytes / 60, (i) => ({ name: `c${i}`, path: `a/b/c${i}` })) }),
  'fields of an array at a long path': (bytes) =>
    made({
      ...xml(),
      columns: [
        {
          name: 'a',
          array: true,
          path: `${repeat('a/', bytes / 2)}a`,
          fields: columns(bytes / 40, (i) => ({ name: `c${i}` })),
        },
      ],
    }),
  'fields of columns': (bytes) =>
    made({
      columns: [{ name: 'a', array: true, fields: columns(bytes / 40, (i) => ({ name: `c${i}` })) }],
    }),
  namespaces: (bytes) =>
    made(xml({ namespaces: Object.fromEntries(many(bytes / 20, (i) => [`n${i}`, `urn:${i}`])) })),
  'a namespace of a long URI': (bytes) =>
    made({
      ...xml({ namespaces: { n: repeat('u', bytes / 2) } }),
      columns: columns(bytes / 60, (i) => ({ name: `c${i}`, path: `n:c${i}` })),
    }),
  'a namespace of a long URI at each step': (bytes) =>
    made({
      ...xml({ namespaces: { n: repeat('u', bytes / 2) } }),
      columns: [{ name: 'a', path: `${repeat('n:a/', bytes / 2)}a` }],
    }),
  'prefixes that are not bound': (bytes) =>
    made({
      ...xml({ namespaces: Object.fromEntries(many(bytes / 60, (i) => [long('n', i), 'u'])) }),
      columns: columns(bytes / 100, (i) => ({ name: `c${i}`, path: `${long('q', i)}:a` })),
    }),
}

const numbered = (bytes: number, make: (i: number) => string): string => many(bytes, make).join(',')

const YAML: Record<string, (bytes: number) => string> = {
  'an alias bomb': () => aliasBomb(9),
  anchors: (bytes) => repeat('&a a: 1\n', bytes),
  'anchors with an alias each': (bytes) => `a: [${numbered(bytes / 16, (i) => `&a${i} 1,*a${i} `)}]`,
  'a list of aliases, aliased': (bytes) =>
    `a: [${numbered(bytes / 20, (i) => `&a${i} 1`)}, &b [${numbered(bytes / 20, (i) => `*a${i} `)}], *b ]`,
  'aliases of a list of mistakes': (bytes) =>
    `${made({})
      .slice(1, -1)
      .replace(/,columns.*/, '')
      .replaceAll(/,(?=[a-z]+:)/g, '\n')}\ncolumns: ` +
    `[{ name: a, fields: &f [${repeat('{},', bytes)}{}] },${numbered(90, () => '{ name: a, fields: *f }')}]`,
  'anchors, and keys that are lists': (bytes) =>
    `a: [${numbered(bytes / 20, (i) => `&a${i} 1`)}]\nb: {${numbered(bytes / 20, (i) => `[k${i}]: 1`)}}`,
  'keys in keys': (bytes) => `${'['.repeat(500)}${repeat('a,', bytes - 4_000)}b${']: 1'.repeat(499)}]`,
  'an ordered map': (bytes) => `a: !!omap [${numbered(bytes / 10, (i) => `k${i}: 1`)}]`,
  'maps that merge a large one': (bytes) =>
    `%YAML 1.1\n---\na: &a {${numbered(bytes / 2 / 10, (i) => `k${i}: 1`)}}\n` +
    many(90, (i) => `b${i}: { <<: *a }`).join('\n'),
  'tags of a long prefix': (bytes) =>
    `%TAG !a! ${repeat('x', bytes / 2)}\n---\n${many(bytes / 24, (i) => `- !a!${i} c`).join('\n')}`,
  tags: (bytes) => repeat('- !a!b c\n', bytes),
  'mistakes of YAML': (bytes) => repeat('} ', bytes),
  'keys that come twice': (bytes) => repeat('a: 1\n', bytes),
  comments: (bytes) => `a: 1\n${repeat('\n', bytes / 2)}${repeat('  # c\n', bytes / 2)}`,
  'quotes in lines': (bytes) => repeat('a: "x\n', bytes),
  'folded text': (bytes) => `a: >\n${repeat(' b\n\n', bytes)}`,
  escapes: (bytes) => `a: "${repeat('\\x41', bytes)}"`,
}

export const HOSTILE_DECLARATIONS = { ...NAMES, ...PATHS, ...YAML }
