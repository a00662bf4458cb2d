/**
 * Declarations that cost more than they say: each is answered as a mistake, with an answer of bounded size.
 */
import { expect, test } from 'vitest'
import { checkDataset, mistakeText } from '../../src/dataset/check.ts'
import { LIMITS } from '../../src/core/limits.ts'
import { aliasBomb } from '../support/alias-bomb.ts'

const lines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => line(i)).join('\n')
const START = 'dataset: x\nsource: { files: { path: a } }\nrecord: { format: ndjson }\n'

const TEXTS: Record<string, string> = {
  'unknown fields': lines(30_000, (i) => `key${i}: 1`),
  'the same field again and again': lines(30_000, () => 'a: 1'),
  'columns beyond the limit': `${START}columns:\n${lines(20_000, (i) => `  - { name: c${i} }`)}`,
  'rules for columns that are not there': [
    `${START}columns:`,
    lines(2_000, (i) => `  - name: ${'c'.repeat(60)}${i}`),
    'rules:',
    lines(2_500, (i) => `  - expect_column_values_to_not_be_null: { column: ${'d'.repeat(60)}${i} }`),
  ].join('\n'),
  'an alias bomb': aliasBomb(9),
  'many aliases': `a: &a 1\n${lines(4_000, (i) => `k${i}: *a`)}`,
  'an alias of nothing': 'a: *b',
  'an alias of itself': 'a: &a [*a]',
  'flow lists in each other': '['.repeat(200_000),
  'flow lists in each other, closed': `a: ${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  'maps in each other': lines(700, (i) => `${' '.repeat(i)}a:`),
  'lists in each other': '- '.repeat(100_000),
  'a name that is long': `${'a'.repeat(400_000)}: 1`,
  'a value that is long': `dataset: "${' '.repeat(400_000)}"`,
  'mistakes of YAML': lines(30_000, () => '}: ]'),
  'mistakes of YAML in one line': '} '.repeat(200_000),
  'tags that are none': lines(20_000, (i) => `!!nope${i} a${i}: !x y`),
  'a pattern that is long': `${START}columns: [{ name: a, pattern: "${'(a'.repeat(20_000)}${')'.repeat(20_000)}" }]`,
  'documents in a row': lines(60_000, () => '---'),
  'more than a declaration may be': `#${'x'.repeat(LIMITS.declarationBytes)}`,
}

test.each(Object.entries(TEXTS))('%s: mistakes, and few of them', (_, text) => {
  const { dataset, mistakes } = checkDataset(text)
  expect(dataset).toBeUndefined()
  expect(mistakes.length).toBeGreaterThan(0)
  expect(mistakes.length).toBeLessThanOrEqual(LIMITS.mistakesShown + 1)
  expect(mistakes.map(mistakeText).join('\n').length).toBeLessThan(60_000)
})

test('says how many mistakes are not shown', () => {
  expect(checkDataset(lines(4_000, (i) => `key${i}: 1`)).mistakes.at(-1)?.message).toBe(
    '3,954 more mistakes are not shown',
  )
})

test('a field twice is found wherever it stands', () => {
  const twice = `${START}columns: [{ name: a, type: string, name: b }]`
  expect(checkDataset(twice).mistakes.map(mistakeText)).toEqual(['  4:36  keys of a map must be unique.'])
})
