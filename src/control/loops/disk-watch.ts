/** Reports when the disk of the home is nearly full, before a job or the database fails. */
import { statfs } from 'node:fs/promises'
import { record } from '../../state/events.ts'
import type { Context } from '../context.ts'

const WATCH = { leastShare: 0.05, mostBytes: 10 * 1024 ** 3, againMs: 6 * 3_600_000 }

/**
 * Records `service.disk_low` when less than 5 % of the disk and less than 10 GB are free: once, and again
 * every six hours.
 */
export function createDiskWatch(
  { gate, home, now }: Pick<Context, 'gate' | 'home' | 'now'>,
  free: (path: string) => Promise<{ free: number; whole: number }> = freeOf,
): () => Promise<void> {
  let toldMs = -Infinity
  return async () => {
    const disk = await free(home)
    const at = now().getTime()
    if (
      disk.free >= disk.whole * WATCH.leastShare ||
      disk.free >= WATCH.mostBytes ||
      at - toldMs < WATCH.againMs
    )
      return
    await gate.transact((tx) =>
      record(tx, {
        tenantId: null,
        actor: 'scheduler',
        event: 'service.disk_low',
        data: { path: home, free_bytes: disk.free, whole_bytes: disk.whole },
      }),
    )
    toldMs = at
  }
}

async function freeOf(path: string): Promise<{ free: number; whole: number }> {
  const { bavail, blocks, bsize } = await statfs(path)
  return { free: bavail * bsize, whole: blocks * bsize }
}
