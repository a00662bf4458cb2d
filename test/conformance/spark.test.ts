/**
 * Spark with delta-spark reads our tables; what it appends to Processed we read, and the key index notices.
 */
import { expect, test } from 'vitest'
import { SPARK_JVM, java } from '../support/java.ts'
import { broker, cliJson, deltalake, expected, place, produce } from '../support/system.ts'

test('Spark reads RAW and Processed, prunes partitions, appends; we count its row and never publish its key again', async () => {
  const kafka = await broker()
  const where = place(kafka.address)
  await produce(where, 2_000)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  await cliJson(where, ['batch', where.declaration])
  const want = await expected(where)
  const later = await cliJson<{ nextMessage: number }>(where, [
    'produce',
    where.declaration,
    '--count',
    '200',
  ])
  expect(later.nextMessage).toBe(2_200)
  const after = await expected(where)
  const fresh = [...after.accepted].find((id) => !want.accepted.has(id)) as string
  // Spark publishes a key that is in RAW's future: the batch must find it in the table, though its own index
  // never saw it.
  const output = await java('spark', 'SparkReads', [where.raw, where.processed, fresh], SPARK_JVM)
  const found = JSON.parse(output.slice(output.lastIndexOf('{'))) as Record<string, number>
  expect(found).toMatchObject({
    accepted: want.accepted.size,
    ids: want.accepted.size,
    before: want.accepted.size,
    after: want.accepted.size + 1,
  })
  expect(found.pruned).toBeGreaterThan(0)
  await cliJson(where, ['stream', where.declaration, '--until-caught-up'])
  const batch = await cliJson<{ published: number }>(where, ['batch', where.declaration])
  expect(batch.published).toBe(after.accepted.size - want.accepted.size - 1)
  const titles = await deltalake<string[]>(
    where.processed,
    `print(json.dumps([r['title'] for r in t.to_pylist() if r['record_id'] == '${fresh}']))`,
  )
  expect(titles).toEqual(['by Spark'])
  const verified = await cliJson<{ problems: string[]; rows: number }>(where, [
    'tables',
    'verify',
    'books/processed',
  ])
  expect(verified).toMatchObject({ problems: [], rows: after.accepted.size })
  where.cleanUp()
})
