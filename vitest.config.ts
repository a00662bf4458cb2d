import { defineConfig } from 'vitest/config'

/** Two projects: `fast` runs in parallel threads, `system` runs real parts alone on the machine, one file after the other. */
export default defineConfig({
  test: {
    isolate: false,
    testTimeout: 20_000,
    hookTimeout: 120_000,
    projects: [
      { extends: true, test: { name: 'fast', include: ['test/{formats,quality,planning,dataset,lakehouse,runner,scripts}/**/*.test.ts'] } },
      {
        extends: true,
        test: { name: 'system', include: ['test/{cli,integration,conformance,faults,docs}/**/*.test.ts'], fileParallelism: false, pool: 'forks', maxWorkers: 1, testTimeout: 180_000 },
      },
    ],
  },
})
