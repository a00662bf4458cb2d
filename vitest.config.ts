import { defineConfig } from 'vitest/config'

/** Real parts may be slow to start; what waits for them is no use of a core. */
const system = { pool: 'forks', testTimeout: 180_000 } as const

/**
 * Three groups, one after the other. `fast`: parallel threads. `system`: real parts, two files at a time (on two cores they wait
 * more than they compute), each worker with a broker of its own. `faults`: one file after the other, alone on the machine.
 */
export default defineConfig({
  test: {
    isolate: false,
    testTimeout: 20_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'fast', include: ['test/{formats,quality,planning,dataset,lakehouse,runner,scheduling,learning,simulation,scripts}/**/*.test.ts'], sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: 'system', include: ['test/{cli,integration,conformance,service,docs}/**/*.test.ts'], ...system, maxWorkers: 2, sequence: { groupOrder: 1 } } },
      { extends: true, test: { name: 'faults', include: ['test/faults/**/*.test.ts'], ...system, fileParallelism: false, maxWorkers: 1, sequence: { groupOrder: 2 } } },
    ],
  },
})
