/** Files of lines, CSV and JSON, into the zones: each line is judged and kept by itself. */
import { expect, test } from 'vitest'
import { catchUp, cliJson, deltalake, writeFileIn, type Place } from '../support/system.ts'
import { bookFolder } from '../support/book-files.ts'

const LINES = `dataset: lines
source: { files: { path: incoming, pattern: "*" } }
record: { format: FORMAT }
columns:
  - { name: id, type: long, required: true }
  - { name: word }
  - { name: at, type: timestamp, timezone: UTC }
  - { name: price, type: decimal, precision: 10, scale: 2 }
drift: evolve
processed: { key: [id] }
`
/** A place whose dataset is made of lines. */
function lines(format: 'csv' | 'ndjson'): Place & { incoming: string } {
  const where = bookFolder(() => LINES.replace('FORMAT', format))
  return {
    ...where,
    raw: where.raw.replace(/books/, 'lines'),
    processed: where.processed.replace(/books/, 'lines'),
  }
}
const acceptedOf = (where: Place, columns: string): Promise<unknown[]> =>
  deltalake(
    where.raw,
    `import pyarrow.compute as pc\na = t.filter(pc.equal(t['outcome'], 'accepted')).sort_by('id')\nprint(json.dumps([[str(r[c]) if r[c] is not None else None for c in '${columns}'.split()] for r in a.to_pylist()]))`,
  )

test('CSV into the zones: columns by the header, each line judged by itself, a new column kept, what is wrong kept by line', async () => {
  const where = lines('csv')
  writeFileIn(
    where.incoming,
    'a.csv',
    'word,id,at,price\n"a,""b""\nc",1,2026-01-01T00:00:00,1.50\n,2,,\nx,three,,\ny,4,,12345678901.00\nz,5\n"",6,,0.1\n',
  )
  writeFileIn(
    where.incoming,
    'b.csv',
    Buffer.concat([Buffer.from('id;x\n7;'), Buffer.from([0xff]), Buffer.from('\n')]),
  )
  writeFileIn(where.incoming, 'c.csv', 'id,color\n8,red\n')
  writeFileIn(where.incoming, 'd.csv', 'price,id\n1.0,nine\n')
  expect(await catchUp(where)).toMatchObject({
    accepted: 4,
    quarantined: 5,
    byReason: { malformed: 1, wrong_root: 1, 'type.long': 2, 'type.decimal': 1 },
  })
  expect(await acceptedOf(where, 'id word price color')).toEqual([
    ['1', 'a,"b"\nc', '1.50', null],
    ['2', null, null, null],
    ['6', null, '0.10', null],
    ['8', null, null, 'red'],
  ])
  const originals = async (): Promise<string[]> => {
    const items = await cliJson<{ position: string }[]>(where, ['quarantine', 'list', where.declaration])
    return Promise.all(
      items.map(
        async ({ position }) =>
          (await cliJson<{ original: string }>(where, ['quarantine', 'show', where.declaration, position]))
            .original,
      ),
    )
  }
  const before = await originals()
  expect(before).toHaveLength(5)
  expect(before).toContain('word,id,at,price\nx,three,,')
  // What is still wrong after a replay is kept under the header of its own file, whatever was replayed beside
  // it.
  expect(await cliJson(where, ['quarantine', 'replay', where.declaration])).toMatchObject({
    read: 5,
    accepted: 0,
    quarantined: 5,
  })
  expect((await originals()).toSorted()).toEqual(before.toSorted())
  where.cleanUp()
})

test('lines of JSON into the zones, and a CSV larger than a message: bounded, and every line once', async () => {
  const where = lines('ndjson')
  writeFileIn(
    where.incoming,
    'a.ndjson',
    '{"id": 1, "word": "a", "price": 1.5}\r\n\n{"id": 2\n[3]\n{"id": 4, "at": "2026-01-01T00:00:00Z"}',
  )
  expect(await catchUp(where)).toMatchObject({ accepted: 2, quarantined: 2, byReason: { malformed: 2 } })
  expect(await acceptedOf(where, 'id word price')).toEqual([
    ['1', 'a', '1.50'],
    ['4', null, null],
  ])
  where.cleanUp()
  const large = lines('csv')
  writeFileIn(
    large.incoming,
    'large.csv',
    `id,word\n${Array.from({ length: 400_000 }, (_, i) => (i % 100_000 === 7 ? `x${i},"bad, line"` : `${i},"${'w'.repeat(40)}, ${i}"`)).join('\n')}\n`,
  )
  expect(await catchUp(large)).toMatchObject({ messages: 1, accepted: 399_996, quarantined: 4 })
  expect(
    await deltalake(
      large.raw,
      "import pyarrow.compute as pc\na = t.filter(pc.equal(t['outcome'], 'accepted'))\nprint(json.dumps([pc.count_distinct(a['id']).as_py(), pc.count_distinct(t['ordinal']).as_py()]))",
    ),
  ).toEqual([399_996, 400_000])
  expect(await cliJson(large, ['quarantine', 'replay', large.declaration])).toMatchObject({
    read: 4,
    accepted: 0,
    quarantined: 4,
  })
  large.cleanUp()
})
