/**
 * Entry point of the process that measures this machine (control/self-benchmark.ts): prints the seconds of
 * the best of three rounds.
 */
import { join } from 'node:path'
import { openSession } from '../engines/duckdb/session.ts'

/** The best one counts: other programs on the machine can only slow it down. */
const ROUNDS = 3

/** Writes text, reads it, hashes, groups and sorts it, and writes Parquet, on one core. */
async function timedRound(folder: string): Promise<number> {
  const session = await openSession({
    memoryBytes: 256 << 20,
    threads: 1,
    spillFolder: join(folder, 'spill'),
  })
  try {
    const csv = join(folder, 'rows.csv')
    const begun = performance.now()
    await session.run(
      `COPY (
         SELECT i AS id, md5(i::VARCHAR) AS key, (i * 37) % 1000003 AS amount, 'text of row ' || i AS note
         FROM range(400000) r (i)
       ) TO '${csv}' (FORMAT csv)`,
    )
    await session.run(
      `COPY (
         SELECT key, sum(amount) AS total, count(*) AS n, any_value(note) AS note
         FROM read_csv(
           '${csv}',
           header = true,
           columns = {id: 'BIGINT', key: 'VARCHAR', amount: 'BIGINT', note: 'VARCHAR'},
           auto_detect = false
         )
         GROUP BY key
         ORDER BY key
       ) TO '${join(folder, 'rows.parquet')}' (FORMAT parquet, COMPRESSION zstd)`,
    )
    return (performance.now() - begun) / 1000
  } finally {
    await session.close()
  }
}

const [, , folder] = process.argv
let best = Infinity
for (let round = 0; round < ROUNDS; round += 1) best = Math.min(best, await timedRound(folder))
process.stdout.write(String(best))
