/**
 * The JSON scanner against JSON.parse: the same documents accepted, the same values, by line, by item and in
 * windows of any size. Left out are the two things that are refused on purpose: lone surrogates in escapes,
 * and too much depth.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonPathText } from '../../src/core/json-path.ts'
import { createSlab } from '../../src/core/slab.ts'
import type { DocumentFault, DocumentScanner } from '../../src/formats/records.ts'
import { createJsonLineScanner } from '../../src/formats/json/lines.ts'
import { createJsonScanner } from '../../src/formats/json/scanner.ts'
import { scalar, value, space, textOf, written, record, mutated } from '../support/written-json.ts'

const LIMITS = { depth: 128, keyBytes: 4096, findings: 1_000, lineBytes: 1 << 24 }
/** Each run makes scanners and documents anew: more than this would take the long suite hours. */
const RUNS = Math.min(20_000, Number(process.env.HEADRACE_TEST_PROPERTY_RUNS ?? 500))
const TIMEOUT = 20_000 + RUNS * 60

interface Read {
  fault: DocumentFault | undefined
  rows: (string | null)[][]
  issues: { row: number; kind: string; path: string; value: string }[]
}

function readAll(scanner: DocumentScanner, bytes: Buffer, sizes?: number[]): Read {
  const slab = createSlab(bytes.length + 64)
  const read: Read = { fault: undefined, rows: [], issues: [] }
  const take = (): void => {
    const { records } = scanner
    const text = (start: number, length: number): string => slab.bytes.toString('utf8', start, start + length)
    for (const { row, kind, path, start, length } of records.issues)
      read.issues.push({ row: row + read.rows.length, kind, path, value: text(start, length) })
    for (let row = 0; row < records.rows; row += 1)
      read.rows.push(
        Array.from({ length: records.width }, (_, column) => {
          const at = (row * records.width + column) * 2
          return records.cells[at + 1] < 0 ? null : text(records.cells[at], records.cells[at + 1])
        }),
      )
  }
  if (sizes === undefined) {
    slab.bytes.set(bytes)
    slab.end = bytes.length
    read.fault = scanner.scanMessage(slab, 0, bytes.length)
    take()
    return read
  }
  scanner.beginDocument()
  let kept: Buffer = Buffer.alloc(0)
  for (let from = 0, i = 0; ; i += 1) {
    const to = Math.min(bytes.length, from + sizes[i % sizes.length])
    kept = Buffer.concat([kept, bytes.subarray(from, to)])
    from = to
    slab.bytes.set(kept)
    slab.end = kept.length
    const final = from === bytes.length
    const { consumed, fault } = scanner.scanWindow(slab, 0, kept.length, final)
    if (fault !== undefined) return { ...read, fault, rows: [] }
    take()
    kept = kept.subarray(consumed)
    if (final) return read
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** As the scanner gives it: a string's characters, else the source text (compared by its value). */
function sameValue(found: string | null, expected: unknown): void {
  if (expected === null || expected === undefined) expect(found).toBeNull()
  else if (typeof expected === 'string') expect(found).toBe(expected)
  else expect(parsed(found ?? '')).toEqual(expected)
}

const hasLoneSurrogate = (text: string): boolean =>
  !JSON.stringify(parsed(text) ?? null).isWellFormed() ||
  /\\ud[89a-f]/i.test(JSON.stringify(parsed(text) ?? null))
const isUtf8 = (bytes: Buffer): boolean => Buffer.from(bytes.toString('utf8')).equals(bytes)

test(
  'documents, right and broken: accepted as JSON.parse does',
  () => {
    const scanner = createJsonScanner(
      { record: '$', fields: [{ path: 'a', array: false }], ignore: ['*'] },
      LIMITS,
    )
    fc.assert(
      fc.property(
        fc.oneof(
          written(record).map((text) => Buffer.from(text)),
          mutated(written(record)),
          mutated(written(value)),
        ),
        (bytes) => {
          const text = bytes.toString('utf8')
          const expected = isUtf8(bytes) ? parsed(text) : undefined
          const scannerTakes = (): Read => readAll(scanner, bytes)
          scanner.records.rows = 0
          scanner.records.issues.length = 0
          const { fault, rows } = scannerTakes()
          if (expected === undefined) expect(fault?.rule).toBe('malformed')
          else if (hasLoneSurrogate(text)) expect(fault?.reason).toContain('surrogate')
          else if (typeof expected !== 'object' || expected === null || Array.isArray(expected))
            expect(fault?.rule).toBe('wrong_root')
          else {
            expect(fault).toBeUndefined()
            expect(rows).toHaveLength(1)
          }
        },
      ),
      { numRuns: RUNS },
    )
  },
  TIMEOUT,
)

test(
  'values of any keys, as JSON.parse gives them',
  () => {
    fc.assert(
      fc.property(
        record,
        fc.array(fc.nat(), { minLength: 20, maxLength: 40 }),
        fc.array(space, { minLength: 4, maxLength: 4 }),
        (members, picks, gaps) => {
          const keys = [...members.keys()]
          const scanner = createJsonScanner(
            {
              record: '$[*]',
              fields: keys.map((name) => ({ path: jsonPathText([name]), array: false })),
              ignore: [],
            },
            LIMITS,
          )
          let i = 0
          const text = textOf(
            members,
            () => picks[i++ % picks.length],
            (n) => gaps[n % 4],
          )
          // Three times, so that the form is learned.
          const { fault, rows, issues } = readAll(scanner, Buffer.from(`[${text},${text} , ${text}]`))
          expect(fault).toBeUndefined()
          const expected = new Map(Object.entries(JSON.parse(text) as object))
          // Inside of values generated keys may stand twice in no object: Maps have each once.
          expect(issues).toEqual([])
          expect(rows).toHaveLength(3)
          for (const row of rows)
            row.forEach((found, column) =>
              sameValue(
                found,
                keys[column] === '__proto__'
                  ? (JSON.parse(text) as Record<string, unknown>)[keys[column]]
                  : expected.get(keys[column]),
              ),
            )
        },
      ),
      { numRuns: RUNS },
    )
  },
  TIMEOUT,
)

test(
  'a document in windows of any size is read as at once',
  () => {
    const items = fc.array(fc.oneof({ weight: 5, arbitrary: record }, { weight: 1, arbitrary: scalar }), {
      maxLength: 8,
    })
    const around = fc
      .array(fc.tuple(fc.constantFrom('source', 'meta', 'other'), value), { maxLength: 3 })
      .map((pairs) => new Map(pairs))
    const spec = {
      record: '$.data.books[*]',
      fields: ['a', 'b', 'a.c', '$.source', '$.meta.a'].map((path) => ({ path, array: false })),
      ignore: [],
    }
    fc.assert(
      fc.property(
        fc.oneof(
          mutated(
            written(
              fc
                .tuple(around, items)
                .map(
                  ([outer, books]) =>
                    new Map<string, unknown>([...outer, ['data', new Map([['books', books]])]]),
                ),
            ),
          ),
          written(
            fc
              .tuple(around, items)
              .map(
                ([outer, books]) =>
                  new Map<string, unknown>([...outer, ['data', new Map([['books', books]])]]),
              ),
          ).map((text) => Buffer.from(text)),
        ),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        (bytes, sizes) => {
          const [whole, inWindows] = [createJsonScanner(spec, LIMITS), createJsonScanner(spec, LIMITS)].map(
            (scanner, i) => readAll(scanner, bytes, i === 0 ? undefined : sizes),
          )
          expect(inWindows.fault?.rule).toBe(whole.fault?.rule)
          if (whole.fault === undefined) expect(inWindows).toEqual(whole)
        },
      ),
      { numRuns: RUNS },
    )
  },
  TIMEOUT,
)

test(
  'lines: each is judged as JSON.parse does, at once and in windows',
  () => {
    const line = fc
      .oneof(written(record), written(value), mutated(written(record)).map(String))
      .map((text) => text.replace(/[\r\n]/g, ' '))
    const broken = fc.constantFrom('', 'ff', 'f09f98', 'c3').map((hex) => Buffer.from(hex, 'hex'))
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, broken, fc.constantFrom('\n', '\r\n')), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 }),
        (lines, sizes) => {
          const bytes = Buffer.concat(
            lines.flatMap(([text, bad, end]) => [Buffer.from(text), bad, Buffer.from(end)]),
          )
          const spec = { fields: [{ path: 'a', array: false }], ignore: ['*'] }
          const [whole, inWindows] = [undefined, sizes].map((windows) =>
            readAll(createJsonLineScanner(spec, LIMITS), bytes, windows),
          )
          expect(inWindows).toEqual(whole)
          const wanted = lines.filter(([text, bad]) => bad.length > 0 || text.trim() !== '')
          expect(whole.rows).toHaveLength(wanted.length)
          wanted.forEach(([text, bad], row) => {
            const value = bad.length > 0 ? undefined : parsed(text)
            const isRecord =
              typeof value === 'object' && value !== null && !Array.isArray(value) && !hasLoneSurrogate(text)
            expect(whole.issues.some((issue) => issue.row === row && issue.kind === 'malformed')).toBe(
              !isRecord,
            )
            // Of a key that stands twice JSON.parse takes the last; we take the first, and reject the record.
            const isRepeated = whole.issues.some((issue) => issue.row === row && issue.kind === 'repeated')
            if (isRecord && !isRepeated) sameValue(whole.rows[row][0], (value as Record<string, unknown>).a)
          })
        },
      ),
      { numRuns: RUNS },
    )
  },
  TIMEOUT,
)

test(
  'a scanner that knows many forms of records reads each as one that knows none',
  () => {
    const names = fc.constantFrom('a', 'b', 'c', 'k', 'l', 'x.y', 'z')
    const { item } = fc.letrec<{ item: unknown }>((tie) => ({
      item: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<unknown>('t', 'e\n', 1.5, true, null),
        fc.array(tie('item'), { maxLength: 2 }),
        fc.array(fc.tuple(names, tie('item')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
      ),
    }))
    const form = written(
      fc.array(fc.tuple(names, item), { maxLength: 5 }).map((pairs) => new Map(pairs)),
    ).map((text) => text.replaceAll('"z"', '"c"'))
    const list = { path: 'l', array: true, fields: [{ path: 'k' }, { path: 'x.y' }] }
    const direct = { path: 'l', array: true, fields: [{ path: 'k' }] }
    fc.assert(
      fc.property(
        fc.record({
          forms: fc.array(form, { minLength: 1, maxLength: 4 }),
          order: fc.array(fc.nat(3), { minLength: 4, maxLength: 12 }),
          ignore: fc.subarray(['*', 'c', 'l.c', 'l.k', 'b.a']),
          paths: fc.subarray(['a', 'a.b', 'b.c', '["x.y"]', 'k', 'c.k.a']),
          lists: fc.constantFrom([], [list], [direct]),
        }),
        ({ forms, order, ignore, paths, lists }) => {
          const spec = {
            record: '$',
            fields: [...paths.map((path) => ({ path, array: false })), ...lists],
            ignore: ignore.filter((path) => !paths.includes(path)),
          }
          const learned = createJsonScanner(spec, LIMITS)
          for (const i of order) {
            const bytes = Buffer.from(forms[i % forms.length])
            learned.records.rows = learned.records.issues.length = 0
            expect(readAll(learned, bytes)).toEqual(readAll(createJsonScanner(spec, LIMITS), bytes))
          }
        },
      ),
      { numRuns: RUNS },
    )
  },
  TIMEOUT,
)
