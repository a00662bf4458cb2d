/**
 * A stream that commits each second for days: the log, the table's files and the time to open it stay
 * bounded. Time is simulated and the files are entries only; the log is the real one, on a disk of memory so
 * that syncs cost nothing.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { tableColumn } from '../../src/core/table-schema.ts'
import { loadTombstones } from '../../src/lakehouse/checkpoint.ts'
import { createLocalStore } from '../../src/lakehouse/stores/local.ts'
import { openOrCreateTable, openTable, type Table } from '../../src/lakehouse/table.ts'
import { filesAfter } from '../../src/lakehouse/versions.ts'
import { limitMs } from '../support/time-limits.ts'

/** The long suite takes 48 hours. */
const HOURS = Number(process.env.HEADRACE_TEST_SIMULATED_HOURS ?? 2)
const START = Date.UTC(2026, 10, 1)

test(
  `${HOURS} hours of commits each second leave a short log`,
  async () => {
    const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'headrace-log-'))
    let used = 0
    const table = await openOrCreateTable(
      createLocalStore(folder),
      {
        schema: { columns: [tableColumn('id', 'long')], partitionColumns: [] },
        configuration: {},
        nowMs: START,
      },
      { usedThrough: async () => used },
    )
    for (let second = 1; second <= HOURS * 3600; second += 1) {
      const nowMs = START + second * 1000
      const add = {
        path: `data/${second}/part-0.parquet`,
        size: 100_000,
        partitionValues: {},
        stats: `{"numRecords":1000,"minValues":{"id":${second}},"maxValues":{"id":${second}},"nullCount":{"id":0}}`,
      }
      await table.commit(
        {
          operation: 'STREAMING UPDATE',
          adds: [add],
          removes: [],
          marks: { next: second },
          expect: { next: second === 1 ? undefined : second - 1 },
        },
        nowMs,
      )
      if (second % 3600 === 0) used = await hourly(table, used, nowMs)
    }
    const started = performance.now()
    const opened = (await openTable(createLocalStore(folder))) as Table
    const openMs = performance.now() - started
    await loadTombstones(opened.store, opened.snapshot)
    const log = readdirSync(join(folder, '_delta_log'))
    const entries = log.filter((name) => name.endsWith('.json')).length
    const checkpoints = log.filter((name) => name.endsWith('.checkpoint.parquet')).length
    const bytes = log.reduce((sum, name) => sum + statSync(join(folder, '_delta_log', name)).size, 0)
    process.stderr.write(
      `after ${HOURS} h: ${entries} entries, ${checkpoints} checkpoints, ${(bytes / 1e6).toFixed(1)} MB of log, ${opened.snapshot.files.size} files, ${opened.snapshot.tombstones.size} remembered, opened in ${openMs.toFixed(0)} ms\n`,
    )
    expect(opened.snapshot.files.size).toBe(HOURS)
    expect(opened.snapshot.tombstones.size).toBeLessThanOrEqual(25 * 3600)
    // The oldest checkpoint that stays lies up to a thousand versions before them, and a new one comes every
    // hundred.
    expect(entries).toBeLessThanOrEqual(LIMITS.logEntries + 1_100)
    expect(checkpoints).toBeLessThanOrEqual(LIMITS.logEntries / 1_000 + 5)
    expect(opened.snapshot.marks.get('next')).toBe(HOURS * 3600)
    // Versions that are still in the log can still be read.
    expect(
      (await filesAfter(opened.store, opened.snapshot.version - 3_000, opened.snapshot)).size,
    ).toBeGreaterThan(2_900)
    rmSync(folder, { recursive: true })
  },
  limitMs(3_600_000),
)

/** What upkeep does: an hour's files become one. Returns the version that the consumer has come to. */
async function hourly(table: Table, used: number, nowMs: number): Promise<number> {
  const small = [...table.snapshot.files.keys()].filter((path) => path.endsWith('part-0.parquet'))
  const merged = {
    path: `data/merged-${used}.parquet`,
    size: 100_000 * small.length,
    partitionValues: {},
    stats: `{"numRecords":${small.length * 1000}}`,
  }
  return table.commit(
    { operation: 'OPTIMIZE', adds: [merged], removes: small, marks: {}, expect: {}, dataChange: false },
    nowMs,
  )
}
