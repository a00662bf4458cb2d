/** Dedicated units are sold once: counts the sold ones, and checks whether more may be sold. */
import { sql } from 'kysely'
import { UNIT } from '../core/service/amounts.ts'
import { failure } from '../core/errors.ts'
import { DEDICATED, type OfferedCapacity } from '../core/service/namespaces.ts'
import type { Db, Tx } from './database.ts'

/** Refuses units that are not free during the whole time: each unit is sold once. One sale at a time. */
export async function reserveUnits(
  tx: Tx,
  purchase: { quantity: number; valid_from: Date; valid_until: Date },
  capacity: OfferedCapacity,
): Promise<void> {
  await sql`SELECT pg_advisory_xact_lock(hashtext('headrace.units'))`.execute(tx)
  const total = Math.floor(
    Math.min(capacity[DEDICATED].cpuCores / UNIT.cpuCores, capacity[DEDICATED].memoryGb / UNIT.memoryGb),
  )
  const sold = await soldUnits(tx, purchase.valid_from, purchase.valid_until)
  if (sold + purchase.quantity > total)
    throw failure('capacity_not_for_sale', {
      asked: purchase.quantity,
      free: Math.max(0, total - sold),
      total,
      from: purchase.valid_from.toISOString(),
      until: purchase.valid_until.toISOString(),
    })
}

/** The most units sold at any moment of a span. */
export async function soldUnits(db: Db, from: Date, until: Date): Promise<number> {
  const { rows } = await sql<{ units: number }>`
    WITH p AS (
      SELECT quantity, valid_from, valid_until
      FROM resource_purchases
      WHERE resource_type = 'dedicated_units'
        AND status IN ('active', 'scheduled')
        AND valid_from < ${until}
        AND valid_until > ${from}
    ),
    -- The sum can only rise where a purchase begins.
    moments AS (
      SELECT ${from}::timestamptz AS at
      UNION
      SELECT valid_from FROM p WHERE valid_from > ${from}
    ),
    sold AS (
      SELECT (
        SELECT sum(quantity)
        FROM p
        WHERE valid_from <= m.at
          AND valid_until > m.at
      ) AS units
      FROM moments m
    )
    SELECT coalesce(max(units), 0)::int AS units
    FROM sold
  `.execute(db)
  return rows[0].units
}
