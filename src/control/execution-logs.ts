/** Logs of executions: where they are, and how much of them is kept. */
import { join } from 'node:path'
import { readdir, rm, stat, truncate } from 'node:fs/promises'
import { limitsOf, type TenantLimits } from '../core/service/tenant-limits.ts'
import { ownersOf } from '../state/executions.ts'
import type { Context } from './context.ts'
import type { Retention } from './retention.ts'

/** The folder of the logs of executions. */
export const logFolder = (home: string): string => join(home, 'executions')

export function logPath(home: string, executionId: string): string {
  return join(logFolder(home), `${executionId}.log`)
}

/** Truncates a log that has grown too long, but keeps its end. The writer continues after it. */
export async function boundLog(
  home: string,
  executionId: string,
  { execution_log_kb: most }: TenantLimits,
): Promise<void> {
  const path = logPath(home, executionId)
  const size = (await stat(path).catch(() => undefined))?.size ?? 0
  if (size > most * 1024) await truncate(path, 0)
}

/** Removes the oldest logs of tenants that exceed their limit. Returns how many. */
export async function dropLogsBeyond({
  gate,
  home,
  limits,
}: Pick<Context, 'gate' | 'home' | 'limits'>): Promise<number> {
  const folder = logFolder(home)
  const logs: { id: string; size: number; atMs: number }[] = []
  for (const name of await readdir(folder).catch(() => [])) {
    const found = await stat(join(folder, name)).catch(() => undefined)
    if (found !== undefined && /^[0-9a-f-]{36}\.log$/.test(name))
      logs.push({ id: name.slice(0, -'.log'.length), size: found.size, atMs: found.mtimeMs })
  }
  const owners = await ownersOf(
    gate.service,
    logs.map(({ id }) => id),
  )
  const left = new Map<string, number>()
  let dropped = 0
  for (const { id, size } of logs.toSorted((a, b) => b.atMs - a.atMs)) {
    const owner = owners.get(id)
    if (owner === undefined) continue
    const room = (left.get(owner.tenantId) ?? limitsOf(limits, owner.policy).logs_mb * 1024 ** 2) - size
    left.set(owner.tenantId, room)
    if (room >= 0 || !owner.ended) continue
    await rm(join(folder, `${id}.log`), { force: true })
    dropped += 1
  }
  return dropped
}

const DAY_MS = 86_400_000

/** Removes logs without a write for this many days. Returns how many. */
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
