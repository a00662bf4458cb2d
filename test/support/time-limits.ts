/**
 * How long tests wait before they give up. A limit ends a test that hangs; it never decides the outcome of one
 * that works. So limits grow by a factor on a machine that is slow or busy, measured once when a run starts.
 */
import { createHash } from 'node:crypto'
import { cpus, loadavg } from 'node:os'

/** SHA-256 of 32 MiB on the machine where the limits were set, quiet. */
const REFERENCE_MS = 30
const SAMPLE = { bytes: 32 * 1024 ** 2, times: 5 }
const MOST = 10

/** From 1 to 10: how many times slower than the reference a test runs here and now. */
export function measureTimeFactor(): number {
  const bytes = Buffer.alloc(SAMPLE.bytes, 7)
  const times = Array.from({ length: SAMPLE.times }, () => {
    const begun = performance.now()
    createHash('sha256').update(bytes).digest()
    return performance.now() - begun
  })
  const slowness = times.toSorted((a, b) => a - b)[SAMPLE.times >> 1] / REFERENCE_MS
  // A hash runs on one core: processes that wait for theirs show in the load.
  const busyness = loadavg()[0] / cpus().length
  return Math.min(MOST, Math.max(1, slowness, busyness))
}

/** vitest.config.ts measures, and hands it to the workers. */
const timeFactor = (): number => Number(process.env.HEADRACE_TEST_TIME_FACTOR ?? 1)

/** What a limit is on this machine; in a long suite, whose drills are many times larger, that of the suite. */
export const limitMs = (usual: number): number =>
  process.env.HEADRACE_TEST_LONG_SUITE === undefined ? Math.ceil(usual * timeFactor()) : 4_800_000
