import { defineConfig } from 'vitest/config'

/** Real parts may be slow to start; what waits for them is no use of a core: two files at a time on two cores. */
const system = { pool: 'forks', testTimeout: 180_000, maxWorkers: 2 } as const

/** Drills whose outcome is a time, or a disk of its own. */
const ALONE = ['bad-files', 'disk', 'flood', 'service-steps'].map((name) => `test/faults/${name}.test.ts`)

/**
 * Four groups, one after the other. `fast`: parallel threads. `system`: real parts, each worker with a broker of its own. `faults`: what
 * is killed, cut and filled. `alone`: those of them that must have the machine to themselves.
 */
export default defineConfig({
  test: {
    isolate: false,
    testTimeout: 20_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'fast',
          include: [
            'test/{core,host,formats,quality,planning,dataset,connectors,lakehouse,runner,scheduling,learning,simulation,scripts}/**/*.test.ts',
          ],
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'system',
          include: ['test/{cli,integration,conformance,service,docs}/**/*.test.ts'],
          ...system,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          exclude: ALONE,
          ...system,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          ...system,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
