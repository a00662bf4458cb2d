/** The composition root of the CLI: every use case, wired with the real parts. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { App } from '../control/app.ts'
import { failure, storageFailure } from '../core/errors.ts'
import { OPERATOR_HOLD, consumerMark, heldMark } from '../core/marks.ts'
import { checkDataset } from '../dataset/check.ts'
import { openTable } from '../lakehouse/table.ts'
import { unsupportedOnSpark } from '../planning/engine-support.ts'
import { runAtTicks } from '../runner/ticks.ts'
import { pause } from '../runner/waiting.ts'
import { dropChildAhead, startChildAhead } from './fork-child.ts'
import { homeFolder } from './home-folder.ts'
import { loadDataset } from './home.ts'
import { openStore } from './stores.ts'

export function createApp(version: string): App {
  const app: App = {
    version,
    home: homeFolder(),
    ...lazily(
      () => import('./tables-app.ts').then((one) => one.createTablesApp()),
      ['listTables', 'showTable', 'tableVersions', 'tableFiles', 'query', 'verify', 'register'],
    ),
    ...lazily(
      () => import('./offsets-app.ts').then((one) => one.createOffsetsApp()),
      ['offsets', 'setOffsets'],
    ),
    ...lazily(
      () => import('./quarantine-app.ts').then((one) => one.createQuarantineApp()),
      ['listQuarantine', 'showQuarantined', 'exportQuarantine', 'replayQuarantine'],
    ),
    ...lazily(
      () => import('./upkeep-app.ts').then((one) => one.createUpkeepApp()),
      ['compact', 'retain', 'vacuum', 'deleteRows', 'reprocess'],
    ),
    ...lazily(() => import('./infer.ts'), ['inferDataset']),
    async checkDataset(path, { engine }) {
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        throw (error as NodeJS.ErrnoException).code === 'ENOENT'
          ? failure('path_not_found', { path, base: process.cwd() })
          : storageFailure(error, 'read', path)
      })
      const result = checkDataset(text)
      const onSpark = result.dataset !== undefined && (engine ?? result.dataset.engine) === 'spark'
      return {
        ...result,
        path: resolve(path),
        unsupported: onSpark ? unsupportedOnSpark(result.dataset) : [],
      }
    },
    produce: async (request) => (await import('./produce-job.ts')).runProducer(request),
    stream: async (name, options) => {
      // The first child loads its parts while this process loads its own.
      startChildAhead()
      try {
        return await (
          await import('./stream-run.ts')
        ).streamOf(await loadDataset(name, options.engine), options)
      } finally {
        dropChildAhead()
      }
    },
    async batch(dataset, options) {
      const loaded = await loadDataset(dataset, options.engine)
      if (options.hold.length + options.release.length > 0)
        await setHolds(loaded, options.hold, options.release)
      const { runBatch } = await import('./batch-job.ts')
      return runBatch(loaded, {
        memoryBytes: options.memoryBytes,
        dryRun: options.dryRun,
        progress: options.say,
      })
    },
    sparkSubmit: async (dataset, options) => (await import('./submit-job.ts')).submit(dataset, options, app),
    async atTicks(dataset, of, { signal, begun, action }) {
      const { schedule } = (await loadDataset(dataset)).dataset[of]
      begun(`${schedule.cron} (${schedule.timezone})`)
      await runAtTicks({ schedule, action, nowMs: Date.now, pause: (ms) => pause(ms, signal), signal })
    },
  }
  return app
}

/**
 * Methods of a part of the app that is loaded when one of them is called: DuckDB and Kafka cost half a second
 * each.
 */
function lazily<Part, Name extends keyof Part>(load: () => Promise<Part>, names: Name[]): Pick<Part, Name> {
  const method =
    (name: Name) =>
    async (...args: unknown[]) =>
      ((await load())[name] as (...all: unknown[]) => unknown)(...args)
  return Object.fromEntries(names.map((name) => [name, method(name)])) as Pick<Part, Name>
}

/** Holds and releases of table partitions by an operator: marks of Processed. */
async function setHolds(
  loaded: Awaited<ReturnType<typeof loadDataset>>,
  hold: string[],
  release: string[],
): Promise<void> {
  const raw = await openTable(await openStore(loaded.rawPath))
  if (raw === undefined) throw failure('table_not_found', { path: loaded.rawPath })
  const { openProcessed } = await import('./batch-job.ts')
  const { table } = await openProcessed(loaded.dataset, loaded.processedPath, raw)
  const mark = table.snapshot.marks.get(consumerMark('processed')) ?? -1
  const marks: Record<string, number> = {}
  for (const partition of hold) {
    marks[OPERATOR_HOLD + partition] = 1
    const known = table.snapshot.marks.get(heldMark(partition)) ?? -1
    if (known < 0) marks[heldMark(partition)] = mark + 1
  }
  for (const partition of release) marks[OPERATOR_HOLD + partition] = 0
  await table.commit(
    { operation: 'HOLD PARTITIONS', adds: [], removes: [], marks, expect: {}, info: { hold, release } },
    Date.now(),
  )
}
