/** Files that are larger than a message may be: read record by record, and kept and replayed one by one. */
import { createWriteStream, readFileSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { catchUp, cliJson, deltalake, treeMemory, startCli, writeFileIn } from '../support/system.ts'
import { bookFolder, book, distinctTitles } from '../support/book-files.ts'

/** Records of the large file; the long suite takes 10,000,000, which are 2 GB (fault case H2). */
const LARGE = Number(process.env.HEADRACE_TEST_LARGE_RECORDS ?? 150_000)

async function largeFile(path: string, records: number, end: string): Promise<void> {
  const out = createWriteStream(path)
  out.write('<library>')
  // The default's records are padded: 150 MB, too much for the memory that is allowed if anything were kept.
  const more = records > 1_000_000 ? '' : `<!-- ${'x'.repeat(800)} -->`
  for (let i = 0; i < records; i += 1) if (!out.write(book(i, more))) await once(out, 'drain')
  out.end(end)
  await once(out, 'close')
}

test('reads a file larger than a message record by record in bounded memory, and takes all of it back when its end is broken', async () => {
  const where = bookFolder()
  writeFileIn(where.incoming, 'first.xml', `<library>${book(LARGE + 7)}</library>`)
  await largeFile(join(where.incoming, 'large.xml'), LARGE, '</library>')
  const job = startCli(where, ['stream', where.declaration, '--until-caught-up'])
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, treeMemory(job.pid as number))), 100)
  expect(await job.ended).toBe(0)
  clearInterval(watch)
  process.stderr.write(`memory of the tree at most ${Math.round(most / 1e6)} MB\n`)
  expect(most).toBeLessThan(768 * 1024 * 1024)
  expect(await distinctTitles(where)).toEqual([LARGE + 1, LARGE + 1])
  await largeFile(join(where.incoming, 'torn.xml'), 60_000, '<book>')
  expect(await catchUp(where)).toMatchObject({ read: 1, accepted: 0, quarantined: 1 })
  expect(await distinctTitles(where)).toEqual([LARGE + 1, LARGE + 1])
  where.cleanUp()
})

test('records of a large file are kept one by one: those that were wrong are replayed, and all of them decoded again, each with its own number', async () => {
  const where = bookFolder(
    (text) => `${text.replace(/^raw:\n( .*\n)+/m, '')}\nraw: { keep_original: true }\n`,
  )
  writeFileIn(where.incoming, '.none', '')
  const out = createWriteStream(join(where.incoming, 'large.xml'))
  out.write('<library>')
  for (let i = 0; i < 24_000; i += 1)
    out.write(book(i, `<!-- ${'x'.repeat(800)} -->`).replace('2010', i % 8_000 === 5 ? '1999' : '2010'))
  out.end('</library>')
  await once(out, 'close')
  const ordinals = (outcome: string): Promise<[number, number]> =>
    deltalake(
      where.raw,
      `import pyarrow.compute as pc\na = t.filter(pc.equal(t['outcome'], '${outcome}'))['ordinal']\nprint(json.dumps([len(a), pc.count_distinct(a).as_py()]))`,
    )
  expect(await catchUp(where)).toMatchObject({ accepted: 23_997, quarantined: 3 })
  expect(await cliJson(where, ['quarantine', 'replay', where.declaration])).toMatchObject({
    read: 3,
    accepted: 0,
    quarantined: 3,
  })
  expect(await ordinals('quarantined')).toEqual([3, 3])
  writeFileSync(
    where.declaration,
    readFileSync(where.declaration, 'utf8').replace('min_value: 2000', 'min_value: 1900'),
  )
  expect(await cliJson(where, ['quarantine', 'replay', where.declaration])).toMatchObject({
    read: 3,
    accepted: 3,
    quarantined: 0,
  })
  expect(await ordinals('accepted')).toEqual([24_000, 24_000])
  expect(await cliJson(where, ['reprocess', where.declaration])).toMatchObject([
    { rows: 24_000, accepted: 24_000, processedVersion: null },
  ])
  expect(await ordinals('accepted')).toEqual([24_000, 24_000])
  expect(await distinctTitles(where)).toEqual([24_000, 24_000])
  where.cleanUp()
})

const IN_NAMESPACES = `dataset: books
source: { files: { path: incoming } }
record: { format: xml, path: "/{urn:lib}library/shelf/{urn:book}book", namespaces: { m: "urn:more" } }
columns:
  - { name: id, type: integer, required: true }
  - { name: title, path: "{urn:book}title" }
  - { name: more, path: "m:title" }
  - { name: pages, type: integer }
drift: freeze
processed: { key: [id] }
`

/** 24,000 books on shelves of their own; three have an unknown title, three a number that is none. */
async function fileInNamespaces(path: string): Promise<void> {
  const out = createWriteStream(path)
  out.write('<!DOCTYPE l:library SYSTEM "library.dtd"><l:library xmlns:l="urn:lib" xmlns:x="urn:book">')
  for (let i = 0; i < 24_000; i += 1) {
    // The prefix y means another namespace in every second shelf.
    const shelf = `<l:shelf xmlns="urn:book" xmlns:y="urn:${i % 2 === 0 ? 'more' : 'other'}">`
    const strange = i % 8_000 === 5 ? '<y:title>strange</y:title>' : ''
    out.write(
      `${shelf}<x:book><id>${i}</id><title>T${i}</title>${i % 2 === 0 ? `<y:title>M${i}</y:title>` : strange}<pages>${i % 8_000 === 6 ? 'many' : 1}</pages><!-- ${'x'.repeat(800)} --></x:book></l:shelf>`,
    )
  }
  out.end('</l:library>')
  await once(out, 'close')
}

test('a record of a large file that was wrong is replayed with the namespaces that its ancestors bound', async () => {
  const where = bookFolder(() => IN_NAMESPACES)
  writeFileIn(where.incoming, '.none', '')
  await fileInNamespaces(join(where.incoming, 'large.xml'))
  expect(await catchUp(where)).toMatchObject({
    messages: 1,
    accepted: 23_994,
    quarantined: 6,
    byReason: { 'type.integer': 3, 'schema.unexpected': 3 },
  })
  const kept = async (): Promise<string[]> =>
    (await cliJson<{ rule: string; path: string }[]>(where, ['quarantine', 'list', where.declaration]))
      .map((reject) => `${reject.rule} ${reject.path}`)
      .toSorted()
  const [unexpected, types] = [
    Array(3).fill('schema.unexpected {urn:other}title'),
    Array(3).fill('type.integer pages'),
  ] as [string[], string[]]
  expect(await kept()).toEqual([...unexpected, ...types])
  expect(await cliJson(where, ['quarantine', 'replay', where.declaration])).toMatchObject({
    read: 6,
    accepted: 0,
    quarantined: 6,
  })
  expect(await kept()).toEqual([...unexpected, ...types])
  // The path that was reported, ignored.
  writeFileSync(
    where.declaration,
    readFileSync(where.declaration, 'utf8').replace(
      'm: "urn:more" }',
      'm: "urn:more" }, ignore: ["{urn:other}title"]',
    ),
  )
  expect(await cliJson(where, ['quarantine', 'replay', where.declaration])).toMatchObject({
    read: 6,
    accepted: 3,
    quarantined: 3,
  })
  expect(await kept()).toEqual(types)
  expect(await distinctTitles(where)).toEqual([23_997, 23_997])
  where.cleanUp()
})
