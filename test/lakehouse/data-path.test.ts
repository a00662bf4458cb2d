/**
 * Where data files lie: whatever a partition value holds, its folder is one folder, leads back to it, and is
 * the same in the log.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RUN_SEED } from '../support/chance.ts'
import { dataPath, isLaidOut, partitionFolder, partitionText } from '../../src/core/data-path.ts'
import { encodePath } from '../../src/core/table-schema.ts'
import { decodePath } from '../../src/lakehouse/actions.ts'

const ODD = [
  '',
  '/',
  '..',
  '%',
  '%2F',
  '%zz',
  'a=b',
  ' ',
  'a b ',
  '12:30',
  'ü%41',
  '日本',
  '😀',
  '\u0000',
  '\t\n\r',
  '\u007f',
  '\\',
  '[x]',
  '{y}',
  '__HIVE_DEFAULT_PARTITION__x',
]
const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.constantFrom(...ODD))
const value = fc.option(text, { nil: null })
const none = (partitionValue: string | null): string | null => (partitionValue === '' ? null : partitionValue)

/** What a reader of Hive's layout makes of a folder. */
function read(folder: string): [string, string | null] {
  const at = folder.indexOf('=')
  const own = folder.slice(at + 1)
  return [
    decodeURIComponent(folder.slice(0, at)),
    own === '__HIVE_DEFAULT_PARTITION__' ? null : decodeURIComponent(own),
  ]
}

test('any values: a folder each, which leads back to it; the log decodes to the same name', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          text.filter((name) => name !== ''),
          value,
        ),
        { minLength: 0, maxLength: 4 },
      ),
      (all) => {
        const values = Object.fromEntries(all)
        const columns = Object.keys(values)
        const name = dataPath(columns, values, 'x.parquet')
        const folders = name.split('/')
        expect(folders.pop()).toBe('x.parquet')
        expect(folders.map(read)).toEqual(columns.map((column) => [column, none(values[column])]))
        for (const character of name) expect(character >= ' ' && character !== '\u007f').toBe(true)
        expect(decodePath(encodePath(name))).toBe(name)
        expect(isLaidOut(name, columns, values)).toBe(true)
        if (columns.length === 0) return
        expect(isLaidOut(`data/${name}`, columns, values)).toBe(false)
        expect(isLaidOut(name, columns, { ...values, [columns[0]]: `${values[columns[0]] ?? ''}!` })).toBe(
          false,
        )
      },
    ),
    { seed: RUN_SEED, numRuns: 2_000 },
  )
})

test('two values share a folder only when one of them is null and the other an empty text', () => {
  fc.assert(
    fc.property(value, value, (first, second) => {
      expect(partitionFolder('c', first) === partitionFolder('c', second)).toBe(none(first) === none(second))
    }),
    { seed: RUN_SEED, numRuns: 2_000 },
  )
})

test.each([
  [{ outcome: 'accepted', ingest_date: '2026-11-29' }, 'outcome=accepted/ingest_date=2026-11-29/f'],
  [{ a: null, b: '' }, 'a=__HIVE_DEFAULT_PARTITION__/b=__HIVE_DEFAULT_PARTITION__/f'],
  [{ part: 'd/e=f' }, 'part=d%2Fe%3Df/f'],
  [{ part: 'ü%41 x' }, 'part=ü%2541 x/f'],
  [{ 'odd=name/': '1' }, 'odd%3Dname%2F=1/f'],
  [{ at: '2026-11-29T10:00:00.000000Z' }, 'at=2026-11-29T10%3A00%3A00.000000Z/f'],
  [{}, 'f'],
])('%j lies at %s', (values: Record<string, string | null>, name) => {
  expect(dataPath(Object.keys(values), values, 'f')).toBe(name)
})

test.each([
  ['data/2026-11-29/2b12/accepted-0.parquet', false],
  ['outcome=accepted/f.parquet', false],
  ['ingest_date=2026-11-29/outcome=accepted/f.parquet', false],
  ['outcome=quarantined/ingest_date=2026-11-29/f.parquet', false],
  ['f.parquet', false],
  ['outcome=accepted/ingest_date=2026-11-29/f.parquet', true],
])('%s is where a writer of today puts it: %s', (name, laidOut) => {
  expect(
    isLaidOut(name, ['outcome', 'ingest_date'], { outcome: 'accepted', ingest_date: '2026-11-29' }),
  ).toBe(laidOut)
})

test('files of others are where they belong, however their writers escape', () => {
  expect(isLaidOut('part=b%20c/f.parquet', ['part'], { part: 'b c' })).toBe(true)
  expect(isLaidOut('part=%C3%BC/f.parquet', ['part'], { part: 'ü' })).toBe(true)
  expect(isLaidOut('part=/f.parquet', ['part'], { part: '' })).toBe(true)
})

test.each([
  ['2026-01-02 03:04:05+00', '2026-01-02T03:04:05.000000Z'],
  ['1890-01-02 03:04:05.1+00', '1890-01-02T03:04:05.100000Z'],
  ['2026-01-02T03:04:05.123456Z', '2026-01-02T03:04:05.123456Z'],
  // Which zone it is in only its writer knows.
  ['2026-01-02 03:04:05', '2026-01-02 03:04:05'],
  [null, null],
])('a timestamp %s stands in the log as %s', (engine, logged) => {
  expect(partitionText('timestamp', engine)).toBe(logged)
  expect(partitionText('string', engine)).toBe(engine)
})

test('an empty text stands in the log as null', () => {
  expect(partitionText('string', '')).toBeNull()
})
