/** What tenants have on this machine's disk: their folders, and the logs of their executions. */
import { lstat, opendir, readdir, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { limitsOf, reachedParams, type TenantLimits } from '../../core/tenant-limits.ts'
import { failure } from '../../core/errors.ts'
import type { Db } from '../../state/database.ts'
import type { Context } from './context.ts'
import { logFolder, logPath } from './executions.ts'

const GB = 1024 ** 3
/**
 * A folder is measured again when so much time has gone by, and a hundred times as long as measuring it took.
 */
const MEASURE = { againMs: 30_000, times: 100 }

export interface StorageMeter {
  /** Bytes in a tenant's folder, as of a while ago. */
  bytes(tenantId: string): Promise<number>
}

export function createStorageMeter(home: string): StorageMeter {
  const known = new Map<string, { until: number; bytes: Promise<number> }>()
  return {
    bytes(tenantId) {
      const before = known.get(tenantId)
      if (before !== undefined && before.until > performance.now()) return before.bytes
      const begun = performance.now()
      const entry = { until: Infinity, bytes: bytesBelow(join(home, 'tenants', tenantId)) }
      known.set(tenantId, entry)
      void entry.bytes.finally(
        () =>
          (entry.until =
            performance.now() + Math.max(MEASURE.againMs, (performance.now() - begun) * MEASURE.times)),
      )
      return entry.bytes
    },
  }
}

/** Of all files below a folder; links are not followed, and what goes away meanwhile counts nothing. */
export async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0
  const open = [folder]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const entries = await opendir(next).catch(() => undefined)
    if (entries === undefined) continue
    for await (const entry of entries) {
      const path = join(next, entry.name)
      if (entry.isDirectory()) open.push(path)
      else bytes += (await lstat(path).catch(() => undefined))?.size ?? 0
    }
  }
  return bytes
}

/** Throws `limit_reached` when a tenant's folder holds more than it may. */
export async function keepStorage(
  storage: StorageMeter,
  limits: TenantLimits,
  tenantId: string,
): Promise<void> {
  if ((await storage.bytes(tenantId)) > limits.storage_gb * GB)
    throw failure('limit_reached', reachedParams(limits, 'storage_gb'))
}

/** A log that has grown too long begins anew: who writes on goes on behind what is left of it. */
export async function boundLog(
  home: string,
  executionId: string,
  { execution_log_kb: most }: TenantLimits,
): Promise<void> {
  const path = logPath(home, executionId)
  const size = (await stat(path).catch(() => undefined))?.size ?? 0
  if (size > most * 1024) await truncate(path, 0)
}

/** Removes the oldest logs of tenants that have more than they may. Returns how many. */
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

/** Executions that are asked for at a time. */
const ASKED = 1_000

async function ownersOf(
  db: Db,
  ids: string[],
): Promise<Map<string, { tenantId: string; policy: unknown; ended: boolean }>> {
  const owners = new Map<string, { tenantId: string; policy: unknown; ended: boolean }>()
  for (let at = 0; at < ids.length; at += ASKED) {
    const rows = await db
      .selectFrom('job_executions as x')
      .innerJoin('tenants as t', 't.tenant_id', 'x.tenant_id')
      .select(['x.execution_id', 'x.tenant_id', 'x.status', 't.policy'])
      .where('x.execution_id', 'in', ids.slice(at, at + ASKED))
      .execute()
    for (const row of rows)
      owners.set(row.execution_id, {
        tenantId: row.tenant_id,
        policy: row.policy,
        ended: !['scheduled', 'booked', 'running'].includes(row.status),
      })
  }
  return owners
}
