/**
 * A queue as one writes it by hand in PostgreSQL: claim a hundred with SKIP LOCKED, complete a hundred; no
 * tenants, no money, no capacity.
 */
import pg from 'pg'

export async function prepareHandSql(url: string, jobs: number): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(
    'CREATE TABLE IF NOT EXISTS hand_jobs (id bigint PRIMARY KEY, state text NOT NULL, payload jsonb NOT NULL, claimed_at timestamptz, done_at timestamptz)',
  )
  await client.query("CREATE INDEX IF NOT EXISTS hand_jobs_queue ON hand_jobs (id) WHERE state = 'queued'")
  await client.query('TRUNCATE hand_jobs')
  await client.query(
    "INSERT INTO hand_jobs (id, state, payload) SELECT i, 'queued', '{}' FROM generate_series(1, $1) i",
    [jobs],
  )
  await client.query('VACUUM ANALYZE hand_jobs')
  await client.end()
}

/** Claims and completes until `count` are done; returns seconds. */
export async function runHandSql(url: string, count: number): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const started = performance.now()
  for (let done = 0; done < count;) {
    const { rows } = await client.query<{ id: bigint }>({
      name: 'claim',
      text: "UPDATE hand_jobs SET state = 'running', claimed_at = now() WHERE id IN (SELECT id FROM hand_jobs WHERE state = 'queued' ORDER BY id LIMIT 100 FOR UPDATE SKIP LOCKED) RETURNING id",
    })
    await client.query({
      name: 'complete',
      text: "UPDATE hand_jobs SET state = 'done', done_at = now() WHERE id = ANY($1::bigint[])",
      values: [rows.map((row) => String(row.id))],
    })
    done += rows.length
  }
  const seconds = (performance.now() - started) / 1000
  await client.end()
  return seconds
}
