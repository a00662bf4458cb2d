/**
 * Any key of a JSON record can be discovered by drift, declared, ignored and reported: the path that a
 * finding gives leads back to the key, `dataset check` takes it, and the column of it takes the value. Drift
 * makes progress in each round.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { appendBytes, createSlab } from '../../src/core/slab.ts'
import { checkDataset, mistakeText } from '../../src/dataset/check.ts'
import { RESERVED_COLUMNS, type Column, type Dataset } from '../../src/dataset/declaration.ts'
import { evolve } from '../../src/planning/table-layout.ts'
import { read } from '../../src/quality/text-bytes.ts'
import { compileChecks, type Reject } from '../../src/quality/record-check.ts'
import { createDecoder } from '../../src/runner/decoder.ts'

const RUNS = Number(process.env.HEADRACE_TEST_PROPERTY_RUNS ?? 100)

const declare = (drift: string, columns: object[], ignore: string[] = [], format = 'ndjson'): Dataset => {
  const { dataset, mistakes } = checkDataset(
    JSON.stringify({
      dataset: 'd',
      source: { files: { path: 'in' } },
      record: { format, ignore },
      columns,
      drift,
      processed: { key: ['id'] },
    }),
  )
  expect(mistakes.map(mistakeText)).toEqual([])
  return dataset as Dataset
}

interface Judged {
  discovered: string[]
  rejects: Reject[]
  /** By row and column; null where there is none. */
  values: (string | null)[][]
}

function judge(dataset: Dataset, columns: Column[], lines: string[]): Judged {
  const decoder = createDecoder(dataset, columns)
  const slab = createSlab(1 << 16)
  const bytes = Buffer.from(lines.join('\n'))
  const start = appendBytes(slab, bytes)
  expect(decoder.decode(slab, start, start + bytes.length)).toBeUndefined()
  const text = {
    get bytes() {
      return slab.bytes
    },
    append(added: string) {
      const at = appendBytes(slab, Buffer.from(added))
      return { start: at, length: slab.end - at }
    },
  }
  const { records } = decoder
  const skip = new Uint8Array(records.rows)
  const checker = compileChecks(dataset, columns)
  const rejects = checker.check(text, records, skip)
  const values = Array.from({ length: records.rows }, (_, row) =>
    checker.columns.map(({ values: columnValues }) =>
      skip[row] !== 0 || columnValues.valid[row] === 0 || columnValues.kind !== 'text'
        ? null
        : read(text, columnValues.spans[row * 2], columnValues.spans[row * 2 + 1]),
    ),
  )
  return { discovered: [...checker.discovered], rejects, values }
}

const key = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => text.isWellFormed()),
  fc.constantFrom(
    '',
    '.',
    '/',
    '$',
    '@',
    '*',
    'a.b',
    'a/b',
    '[x]',
    '$.a',
    "it's",
    '"',
    '\\',
    '\u0000',
    'ключ',
    '日本',
    'größe',
    '__proto__',
    'constructor',
    'A',
    'a',
    'topic',
    'outcome',
    '9',
    'Id',
  ),
)
const leaf = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }).map((text) => `v${text.trim()}`),
  fc.integer(),
  fc.boolean(),
  fc.constant([]),
  fc.constant({}),
  fc.constant([1, 'x']),
)
const { node } = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    leaf,
    fc.array(fc.tuple(key, tie('node')), { minLength: 1, maxLength: 3 }).map((pairs) => new Map(pairs)),
  ),
}))
const record = fc
  .array(
    fc.tuple(
      key.filter((name) => name !== 'id'),
      node,
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((pairs) => new Map([['id', 1 as unknown], ...pairs]))

const jsonOf = (value: unknown): string =>
  value instanceof Map
    ? `{${[...value].map(([name, inner]) => `${JSON.stringify(name)}:${jsonOf(inner)}`).join()}}`
    : JSON.stringify(value)
/** Texts of the values that are not null, objects with fields by their fields. */
function leaves(value: unknown): string[] {
  if (value instanceof Map) return [...value.values()].flatMap(leaves)
  return [typeof value === 'string' ? value : JSON.stringify(value)]
}
const ID = { name: 'id', type: 'long', required: true }

test(
  'a field with any key is discovered, declared, ignored and reported',
  () => {
    fc.assert(
      fc.property(record, (members) => {
        const line = jsonOf(members)
        const wanted = leaves(new Map([...members].slice(1))).toSorted()
        const evolving = declare('evolve', [ID])
        const { discovered } = judge(evolving, evolving.columns, [line])
        const added = evolve(evolving, evolving.columns, discovered, RESERVED_COLUMNS)
        expect(added).toHaveLength(wanted.length)
        for (const { name } of added) expect(name).toMatch(/^[A-Za-z_][A-Za-z0-9_]*$/)
        expect(
          new Set([...added.map(({ name }) => name.toLowerCase()), ...RESERVED_COLUMNS, 'id']).size,
        ).toBe(added.length + RESERVED_COLUMNS.length + 1)
        const evolved = judge(evolving, [...evolving.columns, ...added], [line])
        expect(evolved).toMatchObject({ discovered: [], rejects: [] })
        expect(evolved.values[0].slice(1).toSorted()).toEqual(wanted)
        const frozen = declare('freeze', [ID, ...discovered.map((path, i) => ({ name: `c${i}`, path }))])
        const declared = judge(frozen, frozen.columns, [line])
        expect(declared.rejects).toEqual([])
        expect(declared.values[0].slice(1).toSorted()).toEqual(wanted)
        const ignoring = declare('freeze', [ID], discovered)
        expect(judge(ignoring, ignoring.columns, [line]).rejects).toEqual([])
        const strict = declare('discard_value', [ID])
        const reported = judge(strict, strict.columns, [line])
        expect(reported.rejects.map(({ rule, path }) => `${rule} ${path}`).toSorted()).toEqual(
          discovered.map((path) => `schema.unexpected ${path}`).toSorted(),
        )
      }),
      { numRuns: RUNS },
    )
  },
  20_000 + RUNS * 20,
)

test(
  'records of any shapes: drift ends, each round adds columns, no value is lost',
  () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (some) => {
        const dataset = declare('evolve', [ID])
        const columns = [...dataset.columns]
        // Record by record, as the worst order of messages would have it.
        for (let seen = 1; seen <= some.length; seen += 1) {
          const lines = some.slice(0, seen).map(jsonOf)
          for (let found = judge(dataset, columns, lines); ; found = judge(dataset, columns, lines)) {
            expect(found.rejects).toEqual([])
            if (found.discovered.length === 0) break
            const added = evolve(dataset, columns, found.discovered, RESERVED_COLUMNS)
            expect(added).toHaveLength(found.discovered.length)
            columns.push(...added)
          }
        }
        const { values } = judge(dataset, columns, some.map(jsonOf))
        some.forEach((members, row) => {
          const held = values[row].filter((value) => value !== null)
          // An object without fields is nothing where its fields have columns.
          for (const value of leaves(new Map([...members].slice(1))).filter((text) => text !== '{}'))
            expect(
              held.some((text) => text.includes(value) || text.includes(JSON.stringify(value).slice(1, -1))),
            ).toBe(true)
        })
      }),
      { numRuns: RUNS },
    )
  },
  20_000 + RUNS * 20,
)

test('beyond the limit of added columns a record is quarantined with the limit as its reason, and adds none', () => {
  const dataset = declare('evolve', [ID])
  const wide = (from: number, count: number): string =>
    jsonOf(
      new Map([
        ['id', 1 as unknown],
        ...Array.from({ length: count }, (_, i): [string, unknown] => [`k${from + i}`, i]),
      ]),
    )
  const limit = LIMITS.evolvedColumns
  const first = judge(dataset, dataset.columns, [
    wide(0, limit - 1),
    wide(0, limit + 1),
    wide(limit - 1, 2),
    wide(limit, 1),
    wide(0, 5),
  ])
  expect(first.discovered).toHaveLength(limit)
  expect(first.rejects.map(({ row, rule, reason }) => [row, rule, reason])).toEqual([
    [1, 'schema.unexpected', `k${limit} is not declared, and the limit of ${limit} added columns is reached`],
    [2, 'schema.unexpected', `k${limit} is not declared, and the limit of ${limit} added columns is reached`],
  ])
  const full = [...dataset.columns, ...evolve(dataset, dataset.columns, first.discovered, [])]
  expect(judge(dataset, full, [wide(0, 9), wide(999, 1)])).toMatchObject({
    discovered: [],
    rejects: [{ row: 1, path: 'k999' }],
  })
  expect(evolve(dataset, full, ['more'], [])).toEqual([])
})

test('a field inside of an array item can become no column', () => {
  const dataset = declare('evolve', [ID, { name: 'lines', array: true, fields: [{ name: 'sku' }] }])
  const { discovered, rejects } = judge(dataset, dataset.columns, [
    '{"id":1,"lines":[{"sku":"a","n":2}]}',
    '{"id":1,"lines":[{"sku":"a"}],"n":2}',
  ])
  expect(discovered).toEqual(['n'])
  expect(rejects).toMatchObject([
    {
      row: 0,
      rule: 'schema.unexpected',
      path: 'lines.n',
      value: '2',
      reason: 'lines.n is a field of an array item and cannot become a column',
    },
  ])
})

test('a key that stands twice: the record is rejected at its path; discard_value keeps the first value and notes the rest', () => {
  const columns = [ID, { name: 'a' }, { name: 'b', path: 'o["x.y"]' }]
  const line = '{"id":1,"a":"first","\\u0061":2,"o":{"x.y":1,"x.y":null},"a":"third"}'
  for (const drift of ['freeze', 'discard_row', 'evolve']) {
    const dataset = declare(drift, columns)
    expect(judge(dataset, dataset.columns, [line, '{"id":2}']).rejects).toMatchObject([
      { row: 0, kind: 'record', rule: 'schema.repeated', path: 'a', value: '2' },
    ])
  }
  const dataset = declare('discard_value', columns)
  const { rejects, values } = judge(dataset, dataset.columns, [line])
  expect(rejects.map(({ kind, rule, path, value }) => [kind, rule, path, value])).toEqual([
    ['note', 'schema.repeated', 'a', '2'],
    ['note', 'schema.repeated', 'o["x.y"]', 'null'],
    ['note', 'schema.repeated', 'a', 'third'],
  ])
  expect(values).toEqual([[null, 'first', '1']])
})

test('names of columns: readable where letters allow it, numbered where they collide', () => {
  const dataset = declare('evolve', [ID])
  const names = evolve(
    dataset,
    dataset.columns,
    [
      'a.b',
      '["a.b"]',
      'A["B"]',
      '$id',
      '@type',
      'größe',
      'ключ',
      '["日本"].x',
      '[""]',
      '9',
      'outcome',
      '_x',
      'Total Amount (EUR)'.replace(/.*/, (key) => JSON.stringify([key])),
    ],
    RESERVED_COLUMNS,
  ).map(({ name, path }) => `${path} ${name}`)
  expect(names).toEqual([
    '$id id_2',
    '9 _9',
    '@type type',
    'A["B"] a_b',
    '[""] field',
    '["Total Amount (EUR)"] total_amount_eur',
    '["a.b"] a_b_2',
    '["日本"].x field_x',
    '_x _x',
    'a.b a_b_3',
    'größe grosse',
    'outcome outcome_2',
    'ключ field_2',
  ])
  // However it is written: a path that has a column gets no other one.
  expect(
    evolve(
      dataset,
      [...dataset.columns, ...evolve(dataset, [], ['a.b'], [])],
      ['a/b', '["a"]["b"]', '$.a.b'],
      [],
    ),
  ).toEqual([])
})
