/** Drift: what an unknown field or a wrong type leads to, and what a changed declaration may do. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { catchUp, cli, cliJson, deltalake, writeFileIn } from '../support/system.ts'
import { bookFolder, book } from '../support/book-files.ts'

test('drift: evolve adds a nullable column and keeps the value; a second run knows the column', async () => {
  const where = bookFolder()
  writeFileIn(
    where.incoming,
    'a.xml',
    `<library>${book(1)}${book(2, '<publisher><city>Oslo</city></publisher>')}</library>`,
  )
  expect(await catchUp(where)).toMatchObject({ accepted: 2 })
  writeFileIn(
    where.incoming,
    'b.xml',
    `<library>${book(3, '<publisher><city>Rome</city></publisher>')}</library>`,
  )
  expect(await catchUp(where)).toMatchObject({ accepted: 1 })
  expect(
    await deltalake<(string | null)[]>(
      where.raw,
      "print(json.dumps(sorted(t['publisher_city'].to_pylist(), key=str)))",
    ),
  ).toEqual([null, 'Oslo', 'Rome'])
  await cliJson(where, ['batch', where.declaration])
  expect(
    await deltalake<(string | null)[]>(
      where.processed,
      "print(json.dumps([c for c in t['publisher_city'].to_pylist() if c]))",
    ),
  ).toHaveLength(2)
  where.cleanUp()
})

test.each([
  ['freeze', { accepted: 1, quarantined: 2 }],
  ['discard_row', { accepted: 1, quarantined: 2 }],
  ['discard_value', { accepted: 3, quarantined: 0 }],
])('drift: %s on an unknown field and a wrong type', async (drift, counts) => {
  const where = bookFolder((yaml) =>
    yaml
      .replace('drift: evolve', `drift: ${drift}`)
      .replace(
        'name: publication_year, type: integer, required: true',
        'name: publication_year, type: integer',
      ),
  )
  writeFileIn(
    where.incoming,
    'a.xml',
    `<library>${book(1)}${book(2, '<isbn>1</isbn>')}${book(3).replace('2010', 'MMX')}</library>`,
  )
  expect(await catchUp(where)).toMatchObject(counts)
  const kept = await cliJson<{ kind: string; rule: string; value: string }[]>(where, [
    'quarantine',
    'list',
    where.declaration,
  ])
  expect(kept.map((reject) => `${reject.kind} ${reject.rule} ${reject.value}`).toSorted()).toEqual([
    `${drift === 'discard_value' ? 'note' : 'record'} schema.unexpected 1`,
    `${drift === 'discard_value' ? 'note' : 'record'} type.integer MMX`,
  ])
  where.cleanUp()
})

test.each([
  [
    'a drop',
    (yaml: string) => yaml.replace(/ {2}- \{ name: author_country.*\n/, ''),
    /drop column author_country/,
  ],
  [
    'a rename',
    (yaml: string) => yaml.replace('name: author_country,', 'name: country,'),
    /rename column author_country to country/,
  ],
  [
    'a change of type',
    (yaml: string) => yaml.replace('name: author_country,', 'name: author_country, type: integer,'),
    /change the type of author_country from string to integer/,
  ],
])('%s of a column is refused by name', async (_, edit, message) => {
  const where = bookFolder()
  writeFileIn(where.incoming, 'a.xml', `<library>${book(1)}</library>`)
  await catchUp(where)
  writeFileSync(where.declaration, edit(readFileSync(where.declaration, 'utf8')))
  const { code, stderr } = await cli(where, ['stream', where.declaration, '--until-caught-up'])
  expect([code, stderr]).toEqual([1, expect.stringMatching(message)])
  where.cleanUp()
})
