/**
 * Every type against a model written apart from the code, in Python: the same verdict and the same value for
 * generated texts, at the top level (in bulk and one by one), as an item of an array and as a sub-field.
 * HEADRACE_TEST_TYPE_TEXTS says how many a type.
 */
import { expect, test } from 'vitest'
import { RUN_SEED } from '../support/chance.ts'
import { ensureRows } from '../../src/core/rows.ts'
import type { Column, ScalarType } from '../../src/dataset/declaration.ts'
import { normalizeColumn, type RawColumn } from '../../src/dataset/normalize.ts'
import { canonicalText } from '../../src/quality/canonical.ts'
import { compileColumn } from '../../src/quality/column-check.ts'
import { read } from '../../src/quality/text-bytes.ts'
import { laidOut } from '../support/laid-out-texts.ts'
import { SCALAR_TYPES, expectedOf, typeCases, type TypeCase, type Verdict } from '../support/type-texts.ts'
import type { TypeSettings } from '../support/type-settings.ts'

const COUNT = Number(process.env.HEADRACE_TEST_TYPE_TEXTS ?? 20_000)

/**
 * When Ireland's summers ended before 1940 depends on the edition of the time zone database: Node's and
 * Python's differ.
 */
const isDisputed = ({ timezone }: TypeSettings, text: string): boolean =>
  timezone === 'Europe/Dublin' && /19[0-3]\d/.test(text)

test.each(SCALAR_TYPES)('%s: what we read is what the model reads', { timeout: 600_000 }, async (type) => {
  const cases = typeCases(type, COUNT, RUN_SEED)
  const expected = await expectedOf(cases)
  const share = expected.filter((verdict) => verdict.verdict === 'value').length / COUNT
  expect(share).toBeGreaterThan(0.1)
  expect(expected.some((verdict) => verdict.verdict === 'refused') || type === 'string').toBe(true)
  const differences: unknown[] = []
  for (const [settings, group] of grouped(cases, expected)) {
    const texts = group.map((entry) => entry.text)
    const judged = {
      bulk: inBulk(settings, texts),
      item: asItems(settings, texts),
      raw: asItems(settings, texts, true),
      field: asFields(settings, texts),
    }
    for (const [i, { text, expected: wanted }] of group.entries())
      for (const [way, verdicts] of Object.entries(judged))
        if (
          verdicts[i] !== undefined &&
          !isDisputed(settings, text) &&
          JSON.stringify(verdicts[i]) !== JSON.stringify(wanted)
        )
          differences.push({ way, settings, text, wanted, found: verdicts[i] })
  }
  expect(differences.slice(0, 10)).toEqual([])
})

function grouped(
  cases: TypeCase[],
  expected: Verdict[],
): [TypeSettings, { text: string; expected: Verdict }[]][] {
  const groups = new Map<string, { text: string; expected: Verdict }[]>()
  cases.forEach(({ column, text }, i) => {
    const key = JSON.stringify(column)
    const group = groups.get(key) ?? []
    group.push({ text, expected: expected[i] })
    groups.set(key, group)
  })
  return [...groups].map(([key, group]) => [JSON.parse(key) as TypeSettings, group])
}

function valueText(column: Column, canonical: string): string {
  if (column.type !== 'double') return canonical
  const bits = new DataView(new ArrayBuffer(8))
  bits.setFloat64(0, Number(canonical))
  return Buffer.from(bits.buffer).toString('hex')
}

function checked(
  raw: RawColumn,
  texts: string[],
): { column: Column; rows: { rule: string | undefined; canonical: string | undefined; where: string }[] } {
  const column = normalizeColumn(raw)
  const check = compileColumn(column)
  const { text, cells } = laidOut(texts)
  ensureRows(check.values, texts.length)
  const rules = new Map<number, { rule: string; where: string }>()
  check.checkAll(
    { text, cells, index: 0, width: 1, rows: texts.length, skip: new Uint8Array(texts.length) },
    (row, rule) => rules.set(row, { rule, where: check.fault?.where ?? '' }),
  )
  const { values } = check
  const canonicalOf = (row: number): string | undefined => {
    if (values.valid[row] === 0) return undefined
    return column.array
      ? read(text, values.spans[row * 2], values.spans[row * 2 + 1])
      : canonicalText(column.type, values, text, row)
  }
  return {
    column,
    rows: texts.map((_, row) => ({
      rule: rules.get(row)?.rule,
      where: rules.get(row)?.where ?? '',
      canonical: canonicalOf(row),
    })),
  }
}

function inBulk(settings: TypeSettings, texts: string[]): Verdict[] {
  const { column, rows } = checked({ name: 'c', ...settings }, texts)
  return rows.map(({ rule, canonical }): Verdict => {
    if (rule !== undefined) return { verdict: 'refused' }
    return canonical === undefined
      ? { verdict: 'null' }
      : { verdict: 'value', value: valueText(column, canonical) }
  })
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/

/** As the second item behind a null, quoted; or bare, where the text is a number or a word of JSON. */
function asItems(settings: TypeSettings, texts: string[], bare = false): (Verdict | undefined)[] {
  const isBare = (text: string): boolean => NUMBER.test(text) || text === 'true' || text === 'false'
  const { column, rows } = checked(
    { name: 'c', array: true, ...settings },
    texts.map((text) => ` [ null,${bare && isBare(text) ? text : JSON.stringify(text)} ]`),
  )
  return rows.map((row, i) =>
    bare && !isBare(texts[i])
      ? undefined
      : verdictOf(column, row, '[1]', (parsed) => (parsed as unknown[])[1]),
  )
}

function asFields(settings: TypeSettings, texts: string[]): Verdict[] {
  const raw: RawColumn = {
    name: 'c',
    array: true,
    fields: [{ name: 'v', path: 'a.["b c"]'.replace('.[', '['), ...settings }, { name: 'other' }],
  }
  const { column, rows } = checked(
    raw,
    texts.map((text) => `[{"a":{"x":1,"b c":${JSON.stringify(text)}},"other":null}]`),
  )
  const field = (column.fields as Column[])[0]
  return rows.map((row) =>
    verdictOf(field, row, '[0].a["b c"]', (parsed) => (parsed as { v: unknown }[])[0].v),
  )
}

function verdictOf(
  column: Column,
  row: { rule: string | undefined; canonical: string | undefined; where: string },
  where: string,
  pick: (parsed: unknown) => unknown,
): Verdict {
  if (row.rule !== undefined)
    return row.where === where
      ? { verdict: 'refused' }
      : { verdict: 'value', value: `a fault at ${row.where}` }
  const item = pick(JSON.parse(row.canonical as string))
  return item === null ? { verdict: 'null' } : { verdict: 'value', value: valueText(column, item as string) }
}

test('the model sees a change of the meaning', async () => {
  const texts: [ScalarType, string, string | undefined][] = [
    ['long', '007', '7'],
    ['date', '2024-02-30', undefined],
    ['double', '1e400', undefined],
    ['timestamp', '2024-07-01T10:00:00', '2024-07-01T08:00:00Z'],
  ]
  const expected = await expectedOf(
    texts.map(([type, text]) => ({
      column: { type, ...(type === 'timestamp' ? { timezone: 'Europe/Berlin' } : {}) },
      text,
    })),
  )
  expect(expected.map((verdict) => (verdict.verdict === 'value' ? verdict.value : undefined))).toEqual(
    texts.map(([, , value]) => value),
  )
})
