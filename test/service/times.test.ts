/** Times out of the control database: the same moments that PostgreSQL means. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { testService } from '../support/service.ts'

const TIMES = [
  '1970-01-01 00:00:00+00',
  '2026-11-26 09:30:59+00',
  '2026-11-26 09:30:59.5+00',
  '2026-11-26 09:30:59.25+00',
  '2026-02-28 23:59:59.999+00',
  '2024-02-29 12:00:00.123456+00',
  '2026-11-26 09:30:59.000999+00',
  '2026-11-26 09:30:59.1009+00',
  '1000-01-01 00:00:00+00',
  '0050-06-01 00:00:00+00',
  '9999-12-31 23:59:59.9+00',
  '2026-07-01 12:00:00+02',
]

test('each time is read to the millisecond, infinite ones are infinite', async () => {
  const service = await testService()
  const { rows } = await sql<{
    at: Date
    ms: number
  }>`SELECT at, floor(extract(epoch FROM at) * 1000)::float8 AS ms FROM unnest(${TIMES}::timestamptz[]) at`.execute(
    service.context.gate.service,
  )
  expect(rows.map((row) => row.at.getTime())).toEqual(rows.map((row) => row.ms))
  expect(
    (
      await sql`SELECT '-infinity'::timestamptz AS first, 'infinity'::timestamptz AS last`.execute(
        service.context.gate.service,
      )
    ).rows,
  ).toEqual([{ first: -Infinity, last: Infinity }])
  await service.close()
})
