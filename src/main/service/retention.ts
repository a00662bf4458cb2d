/**
 * What is kept how long of what would else grow for ever: logs of executions and events. What a bill rests on
 * is kept: executions, the ledger, use.
 */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { failure } from '../../core/errors.ts'
import type { Db } from '../../state/database.ts'
import { logFolder } from './executions.ts'

export interface Retention {
  logsDays: number
  eventsDays: number
}

const DAY_MS = 86_400_000

/** HEADRACE_KEEP_LOGS_DAYS and HEADRACE_KEEP_EVENTS_DAYS. Throws `usage` for what is no number of days. */
export function retentionOf(env: NodeJS.ProcessEnv = process.env): Retention {
  const days = (name: string, usual: number): number => {
    const text = env[name] ?? ''
    if (text === '') return usual
    if (!/^[1-9]\d{0,4}$/.test(text))
      throw failure('usage', {
        reason: `${name} must be a whole number of days from 1 to 99999, and is ${text.slice(0, 40)}`,
      })
    return Number(text)
  }
  return { logsDays: days('HEADRACE_KEEP_LOGS_DAYS', 30), eventsDays: days('HEADRACE_KEEP_EVENTS_DAYS', 400) }
}

/** Removes logs that nothing was written to for so many days. Returns how many. */
export async function dropOldLogs(home: string, { logsDays }: Retention, nowMs: number): Promise<number> {
  const folder = logFolder(home)
  let dropped = 0
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found === undefined || found.mtimeMs >= nowMs - logsDays * DAY_MS) continue
    await rm(path, { force: true })
    dropped += 1
  }
  return dropped
}

/** Events a round removes at most: a short transaction, and the next round goes on. */
const EVENTS_A_ROUND = 10_000

/**
 * Removes events that are older than so many days, from the oldest 10,000 on, which a round reads. Returns
 * how many.
 */
export async function dropOldEvents(db: Db, { eventsDays }: Retention, now: Date): Promise<number> {
  const { numAffectedRows } =
    await sql`DELETE FROM events WHERE event_id IN (SELECT event_id FROM (SELECT event_id, at FROM events ORDER BY event_id LIMIT ${EVENTS_A_ROUND}) oldest WHERE at < ${new Date(now.getTime() - eventsDays * DAY_MS)})`.execute(
      db,
    )
  return Number(numAffectedRows ?? 0)
}
