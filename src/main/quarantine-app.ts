/**
 * Quarantined records for people: what was rejected and why, and their original bytes. Replay, after the
 * declaration was mended, is in quarantine-replay.ts.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../core/errors.ts'
import type { App } from '../control/app.ts'
import { literal } from '../engines/duckdb/sql.ts'
import { replay } from './quarantine-replay.ts'
import { openQuarantine, readQuarantine, whereRule } from './quarantined.ts'

type QuarantineApp = Pick<App, 'listQuarantine' | 'showQuarantined' | 'exportQuarantine' | 'replayQuarantine'>

const POSITION = "topic || '/' || kafka_partition || '/' || kafka_offset || '/' || ordinal"

export function createQuarantineApp(): QuarantineApp {
  return {
    async listQuarantine(dataset, { rule, limit }) {
      const { raw } = await openQuarantine(dataset)
      return readQuarantine(
        raw,
        `SELECT
           ${POSITION} AS position, reject_kind AS kind, reject_rule AS rule, reject_path AS path,
           reject_value AS value, reject_reason AS reason, ingest_time
         FROM q ${whereRule(rule)}
         ORDER BY ingest_time DESC, position
         LIMIT ${limit}`,
      )
    },
    async showQuarantined(dataset, position) {
      const { raw } = await openQuarantine(dataset)
      const [found] = await readQuarantine(
        raw,
        `SELECT ${POSITION} AS position, * EXCLUDE (original), base64(original) AS original
         FROM q
         WHERE ${POSITION} = ${literal(position)}`,
      )
      if (found === undefined)
        throw failure('usage', {
          reason: `nothing is quarantined at ${position}; headrace quarantine list ${dataset} shows positions`,
        })
      // What was rejected for its encoding is shown as well as it can be; export gives the bytes.
      const original =
        found.original === null ? null : Buffer.from(String(found.original), 'base64').toString('utf8')
      return Object.fromEntries(Object.entries({ ...found, original }).filter(([, value]) => value !== null))
    },
    async exportQuarantine(dataset, folder, { rule, limit }) {
      const { raw } = await openQuarantine(dataset)
      await mkdir(folder, { recursive: true })
      const rows = await readQuarantine(
        raw,
        `SELECT ${POSITION} AS position, reject_rule, base64(original) AS bytes
         FROM q ${whereRule(rule)}
         LIMIT ${limit}`,
      )
      for (const row of rows) {
        const name = `${String(row.position).replaceAll('/', '-')}.${String(row.reject_rule)}`
        await writeFile(join(folder, name), Buffer.from(String(row.bytes), 'base64'))
      }
      return { files: rows.length, folder }
    },
    replayQuarantine: replay,
  }
}
