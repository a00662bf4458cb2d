import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'
import { limitMs, measureTimeFactor } from './test/support/time-limits.ts'

process.env.HEADRACE_TEST_TIME_FACTOR ??= String(measureTimeFactor())
// One seed for all files: what a run drew and sampled can be run again by it.
if (process.env.HEADRACE_TEST_SEED === undefined) {
  process.env.HEADRACE_TEST_SEED = String(Date.now() % 1_000_000)
  process.stderr.write(`HEADRACE_TEST_SEED=${process.env.HEADRACE_TEST_SEED} repeats this run\n`)
}

// Servers that live for minutes: the second compiler of the JVM takes more of the cores than it gives back. A fifth of what Spark's
// tests take.
if (process.env.HEADRACE_TEST_LONG_SUITE === undefined)
  process.env.JAVA_TOOL_OPTIONS ??= '-XX:TieredStopAtLevel=1'

/** Real parts may be slow to start; what waits for them is no use of a core: two files at a time on two cores. */
const system = { pool: 'forks', testTimeout: limitMs(180_000), maxWorkers: 2 } as const

/** Folders of tests that start real parts; all others are fast. */
const SYSTEM = ['cli', 'integration', 'conformance', 'service', 'docs', 'examples']

/**
 * Three groups, one after the other, two files at a time. `fast`: nothing but our own code. `system`: real parts, each worker with a
 * broker of its own. `faults`: what is killed, cut and filled.
 */
export default defineConfig({
  test: {
    isolate: false,
    testTimeout: limitMs(20_000),
    hookTimeout: limitMs(120_000),
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: [...SYSTEM, 'faults'].map((folder) => `test/${folder}/**`),
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: SYSTEM.map((folder) => `test/${folder}/**/*.test.ts`),
          ...system,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          ...system,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
