/**
 * What arrives in other shapes than messages of books: folders of files, encodings, and JSON with every
 * type.
 */
import { expect, test } from 'vitest'
import { catchUp, deltalake, writeFileIn } from '../support/system.ts'
import { bookFolder, book, titles } from '../support/book-files.ts'

test('takes each file of a folder once, leaves growing and hidden ones, rejects a broken one whole', async () => {
  const where = bookFolder()
  writeFileIn(where.incoming, 'a.xml', `<library>${book(1)}${book(2)}</library>`)
  writeFileIn(where.incoming, 'broken.xml', `<library>${book(3)}<book></library>`)
  writeFileIn(where.incoming, '.hidden.xml', `<library>${book(4)}</library>`)
  expect(await catchUp(where)).toMatchObject({ read: 3, accepted: 2, quarantined: 1 })
  writeFileIn(
    where.incoming,
    'sub/b.xml',
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(`<library>${book(5)}</library>`, 'utf16le')]),
  )
  expect(await catchUp(where)).toMatchObject({ read: 1, accepted: 1 })
  expect(await catchUp(where)).toMatchObject({ read: 0 })
  expect(await titles(where)).toEqual(['T1', 'T2', 'T5'])
  where.cleanUp()
})

const ITEMS_DECLARATION = `dataset: books
source: { files: { path: incoming, pattern: "*.json" } }
record: { format: json, path: "$.items[*]" }
columns:
  - { name: id, type: long, required: true }
  - { name: price, type: decimal, precision: 38, scale: 4 }
  - { name: rate, type: double }
  - { name: open, type: boolean }
  - { name: day, type: date }
  - { name: at, type: timestamp }
  - { name: city, path: address.city, case: upper }
  - { name: tags, array: true }
  - { name: lines, array: true, fields: [{ name: sku }, { name: n, type: integer }] }
  - { name: shop, path: $.shop }
drift: discard_row
processed: { key: [id] }
`
const ITEMS = [
  '{"id": 9007199254740993, "price": 12345678901234567890123456789012.5, "rate": 1e-3, "open": true, "day": "2026-02-28", "at": "2026-02-28T10:00:00+01:00", "address": {"city": "Zürich"}, "tags": ["a", "b"], "lines": [{"sku": "x", "n": 2}, {"sku": "y"}]}',
  '{"id": 2}',
  '{"id": "x"}',
  '{"id": 4, "day": "2026-02-30"}',
  '{"id": 5, "lines": [{"sku": "x", "n": "two"}]}',
  '{"id": 6, "other": 1}',
]

test('JSON: every type, nested objects, arrays, exact numbers, and what breaks them', async () => {
  const where = bookFolder(() => ITEMS_DECLARATION)
  writeFileIn(where.incoming, 'a.json', `{"shop": "s1", "items": [${ITEMS.join(', ')}]}`)
  writeFileIn(where.incoming, 'b.json', '{"items": [')
  expect(await catchUp(where)).toMatchObject({
    read: 7,
    accepted: 2,
    quarantined: 5,
    byReason: { malformed: 1, 'type.long': 1, 'type.date': 1, 'type.integer': 1, 'schema.unexpected': 1 },
  })
  const [row] = await deltalake<Record<string, unknown>[]>(
    where.raw,
    `
import pyarrow.compute as pc
found = t.filter(pc.equal(t['id'], 9007199254740993)).select(['id', 'price', 'rate', 'open', 'day', 'at', 'city', 'tags', 'lines', 'shop']).to_pylist()
# JavaScript has no such number: it is compared as text.
print(json.dumps([{**one, 'id': str(one['id'])} for one in found], default=str))`,
  )
  expect(row).toEqual({
    id: '9007199254740993',
    price: '12345678901234567890123456789012.5000',
    rate: 0.001,
    open: true,
    day: '2026-02-28',
    at: '2026-02-28 09:00:00+00:00',
    city: 'ZÜRICH',
    tags: ['a', 'b'],
    lines: [
      { sku: 'x', n: 2 },
      { sku: 'y', n: null },
    ],
    shop: 's1',
  })
  where.cleanUp()
})
