/**
 * Arbitrary values and the texts of JSON that mean them, with any white space and escapes; and such texts
 * with some bytes broken.
 */
import fc from 'fast-check'

const key = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'id', '', '__proto__', 'constructor', 'a.b', '"', 'é', '日本'),
  fc.string({ unit: 'binary', maxLength: 5 }),
)
export const scalar = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
)
export const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map((pairs) => new Map(pairs)),
  ),
}))
/** Text of a value with any white space and any escapes that mean the same. */
export const space = fc.constantFrom('', '', '', ' ', '\n', '\t\r\n ')
export function textOf(value: unknown, pick: () => number, gap: (i: number) => string): string {
  const unit = (code: number): string => `\\u${code.toString(16).padStart(4, '0')}`
  const escaped = (c: string): string =>
    JSON.stringify(c).length > 3
      ? JSON.stringify(c).slice(1, -1)
      : Array.from({ length: c.length }, (_, i) => unit(c.charCodeAt(i))).join('')
  const text = (plain: string): string =>
    `"${Array.from(plain, (c) => (pick() % 8 === 0 ? escaped(c) : JSON.stringify(c).slice(1, -1))).join('')}"`
  const g = (): string => gap(pick())
  if (typeof value === 'string') return text(value)
  if (Array.isArray(value))
    return `[${g()}${value.map((item) => textOf(item, pick, gap)).join(`${g()},${g()}`)}${g()}]`
  if (value instanceof Map)
    return `{${g()}${[...value].map(([name, inner]) => `${text(String(name))}${g()}:${g()}${textOf(inner, pick, gap)}`).join(`${g()},${g()}`)}${g()}}`
  return JSON.stringify(value)
}
export const written = (of: fc.Arbitrary<unknown>): fc.Arbitrary<string> =>
  fc
    .tuple(
      of,
      fc.array(fc.nat(), { minLength: 20, maxLength: 40 }),
      fc.array(space, { minLength: 4, maxLength: 4 }),
    )
    .map(([drawn, picks, gaps]) => {
      let i = 0
      return textOf(
        drawn,
        () => picks[i++ % picks.length],
        (n) => gaps[n % 4],
      )
    })
export const record = fc.array(fc.tuple(key, value), { maxLength: 6 }).map((pairs) => new Map(pairs))
/** A document with some of its bytes exchanged, doubled or cut. */
export const mutated = (of: fc.Arbitrary<string>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      of,
      fc.nat(),
      fc.constantFrom(
        '',
        ',',
        '"',
        '}',
        ']',
        '{',
        '[',
        ':',
        '\\',
        '0',
        '-',
        'e',
        '.',
        '\u0000',
        '\n',
        't',
        'null',
        ' ',
      ),
      fc.nat({ max: 3 }),
    )
    .map(([text, at, by, cut]) => {
      const bytes = Buffer.from(text)
      const where = at % (bytes.length + 1)
      return Buffer.concat([bytes.subarray(0, where), Buffer.from(by), bytes.subarray(where + cut)])
    })
