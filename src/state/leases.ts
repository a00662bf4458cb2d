/** Leases with generations: they prove who leads. A holder that slept finds another generation and stops. */
import { sql } from 'kysely'
import type { Db } from './database.ts'

/**
 * Takes or renews a lease. Undefined while another holds it. Times are the database's, so clocks of machines
 * do not matter.
 */
export async function holdLease(
  db: Db,
  { name, holder, leaseMs }: { name: string; holder: string; leaseMs: number },
): Promise<bigint | undefined> {
  const { rows } = await sql<{ generation: bigint }>`
    INSERT INTO leases AS l (lease_name, holder, generation, lease_until)
    VALUES (${name}, ${holder}, 1, clock_timestamp() + make_interval(secs => ${leaseMs / 1000}::float8))
    ON CONFLICT (lease_name) DO UPDATE
    SET
      holder = excluded.holder,
      lease_until = excluded.lease_until,
      generation = CASE WHEN l.holder = excluded.holder THEN l.generation ELSE l.generation + 1 END
    WHERE l.holder = excluded.holder
      OR l.lease_until < clock_timestamp()
    RETURNING generation
  `.execute(db)
  return rows[0]?.generation
}

export async function leaveLease(db: Db, { name, holder }: { name: string; holder: string }): Promise<void> {
  await db.deleteFrom('leases').where('lease_name', '=', name).where('holder', '=', holder).execute()
}
