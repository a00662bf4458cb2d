/**
 * Drafts as YAML, and names of columns: whatever a source calls its fields, the declaration is read back as
 * it was meant.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { createField, type Outline } from '../../src/core/outline.ts'
import { checkDataset } from '../../src/dataset/check.ts'
import { createColumnNames, datasetName } from '../../src/dataset/column-names.ts'
import { draftYaml, valueText } from '../../src/dataset/draft-yaml.ts'
import { RESERVED_COLUMNS } from '../../src/dataset/declaration.ts'
import { createTrials, draftDataset } from '../../src/dataset/infer.ts'

const odd = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    'yes',
    'No',
    'null',
    '~',
    'NaN',
    '1',
    '1e5',
    '0x1',
    '2024-01-01',
    '',
    ' ',
    '-',
    '- a',
    '#',
    '# x',
    'a: b',
    'a #b',
    '{a}',
    '[a]',
    '*',
    '&a',
    '!t',
    '|',
    '>',
    '%',
    '@x',
    '`',
    '"',
    "'",
    'a\nb',
    '\u0085',
    '\u2028',
    '\uFEFF',
    '\u007f',
    'topic',
    'OUTCOME',
    '名前',
    'Größe',
    'ß',
    '🙂',
  ),
)

test('texts are read back from YAML as they are', () => {
  fc.assert(
    fc.property(odd, odd, (text, other) => {
      expect(parse(`a: { b: ${valueText(text)}, c: [${valueText(other)}] }\n`)).toEqual({
        a: { b: text, c: [other] },
      })
    }),
    { numRuns: 1_000, seed: 14 },
  )
})

test('columns get names that tables take, each once', () => {
  fc.assert(
    fc.property(fc.array(fc.array(odd, { maxLength: 3 }), { maxLength: 20 }), (fields) => {
      const nameOf = createColumnNames()
      const names = fields.map((field, i) => nameOf(field, i + 1).name)
      for (const name of names) expect(name).toMatch(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/)
      expect(new Set([...names, ...RESERVED_COLUMNS].map((name) => name.toLowerCase())).size).toBe(
        names.length + RESERVED_COLUMNS.length,
      )
    }),
    { numRuns: 1_000, seed: 14 },
  )
  fc.assert(
    fc.property(odd, (text) => {
      expect(datasetName(text)).toMatch(/^[a-z][a-z0-9_]{0,62}$/)
    }),
    { seed: 14 },
  )
})

test.each([
  [['Order ID'], 'order_id'],
  [['author', 'firstName'], 'author_first_name'],
  [['@id'], 'id'],
  [['Größe'], 'grosse'],
  [['Año'], 'ano'],
  [['2024'], '_2024'],
  [['topic'], 'topic_value'],
  [['名前'], 'column_7'],
  [['#'], 'column_7'],
  [[''], 'column_7'],
  [[], 'column_7'],
])('%j is named %s', (names, wanted) => {
  expect(createColumnNames()(names, 7).name).toBe(wanted)
})

test('a draft passes its check with any names and values', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(
        odd.filter((name) => name.isWellFormed()),
        { minLength: 1, maxLength: 6 },
      ),
      fc.array(
        odd.filter((value) => value.isWellFormed()),
        { minLength: 1, maxLength: 4 },
      ),
      (names, values) => {
        const fields = names.map((name) => ({
          ...createField(name, [name], 'text'),
          rows: values.map((_, i) => i),
          values,
          notes: [`a note with ${name}`],
        }))
        const outline: Outline = {
          record: '',
          records: values.length,
          fields,
          settings: {},
          documents: [],
          notes: [],
        }
        const draft = draftDataset({
          name: 'd',
          source: { files: { path: '/tmp/a: b' } },
          format: 'csv',
          record: {},
          outline,
          trials: createTrials(),
        })
        const text = draftYaml(draft, names)
        expect(checkDataset(text).mistakes, text).toEqual([])
        expect(parse(text)).toEqual(draft.declaration)
      },
    ),
    { numRuns: 200, seed: 14 },
  )
})
