/** The composition root of the CLI: connects every use case with its parts. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { App } from '../operations/app.ts'
import { failure, storageFailure } from '../core/errors.ts'
import { checkDataset } from '../dataset/check.ts'
import { unsupportedOnSpark } from '../planning/engine-support.ts'
import { runAtTicks } from '../runner/ticks.ts'
import { pause } from '../core/waiting.ts'
import { dropChildAhead, startChildAhead } from '../operations/fork-child.ts'
import { homeFolder } from '../host/home-folder.ts'
import { loadDataset } from '../operations/datasets.ts'
import { setHolds } from '../operations/partition-holds.ts'

export function createApp(version: string): App {
  const app: App = {
    version,
    home: homeFolder(),
    ...lazily(
      () => import('../operations/tables.ts').then((module) => module.createTablesApp()),
      ['listTables', 'showTable', 'tableVersions', 'tableFiles', 'query', 'verify', 'register'],
    ),
    ...lazily(
      () => import('../operations/offsets.ts').then((module) => module.createOffsetsApp()),
      ['offsets', 'setOffsets'],
    ),
    ...lazily(
      () => import('../operations/quarantine.ts').then((module) => module.createQuarantineApp()),
      ['listQuarantine', 'showQuarantined', 'exportQuarantine', 'replayQuarantine'],
    ),
    ...lazily(
      () => import('../operations/upkeep.ts').then((module) => module.createUpkeepApp()),
      ['compact', 'retain', 'vacuum', 'deleteRows', 'reprocess'],
    ),
    ...lazily(() => import('../operations/infer.ts'), ['inferDataset']),
    checkDataset: checkFile,
    produce: async (request) => (await import('../operations/produce.ts')).runProducer(request),
    stream,
    batch,
    sparkSubmit: async (dataset, options) =>
      (await import('../operations/spark-submit.ts')).submit(dataset, options, app),
    atTicks,
  }
  return app
}

/**
 * Methods of a part of the app that is loaded with the first call: DuckDB and Kafka cost half a second each.
 */
function lazily<Part, Name extends keyof Part>(load: () => Promise<Part>, names: Name[]): Pick<Part, Name> {
  const method =
    (name: Name) =>
    async (...args: unknown[]) =>
      ((await load())[name] as (...all: unknown[]) => unknown)(...args)
  return Object.fromEntries(names.map((name) => [name, method(name)])) as Pick<Part, Name>
}

const checkFile: App['checkDataset'] = async (path, { engine }) => {
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
}

const stream: App['stream'] = async (name, options) => {
  // The first child loads its parts while this process loads its own.
  startChildAhead()
  try {
    const { streamOf } = await import('../operations/stream.ts')
    return await streamOf(await loadDataset(name, options.engine), options)
  } finally {
    dropChildAhead()
  }
}

const batch: App['batch'] = async (name, { engine, hold, release, memoryBytes, dryRun, say }) => {
  const loaded = await loadDataset(name, engine)
  if (hold.length + release.length > 0) await setHolds(loaded, hold, release)
  const { runBatch } = await import('../operations/batch.ts')
  return runBatch(loaded, { memoryBytes, dryRun, progress: say })
}

const atTicks: App['atTicks'] = async (name, of, { signal, begun, action }) => {
  const { schedule } = (await loadDataset(name)).dataset[of]
  begun(`${schedule.cron} (${schedule.timezone})`)
  await runAtTicks({ schedule, action, nowMs: Date.now, pause: (ms) => pause(ms, { signal }), signal })
}
