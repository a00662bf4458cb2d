/** Disk use of tenants on this machine: their folders, and the logs of their executions. */
import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import { reachedParams, type TenantLimits } from '../core/service/tenant-limits.ts'
import { failure } from '../core/errors.ts'

const GB = 1024 ** 3
/**
 * A folder is measured again after this time, and after a hundred times as long as the last measurement took.
 */
const MEASURE = { againMs: 30_000, times: 100 }

export interface StorageMeter {
  /** Bytes in a tenant's folder, as of the last measurement. */
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

/**
 * Bytes of all files below a folder. Links are not followed, and files that disappear meanwhile count
 * nothing.
 */
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

/** Throws `limit_reached` if a tenant's folder exceeds its limit. */
export async function keepStorage(
  storage: StorageMeter,
  limits: TenantLimits,
  tenantId: string,
): Promise<void> {
  if ((await storage.bytes(tenantId)) > limits.storage_gb * GB)
    throw failure('limit_reached', reachedParams(limits, 'storage_gb'))
}
