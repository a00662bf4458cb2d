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
import { pause, whenStorageAllows } from '../runner/waiting.ts'
import { dropChildAhead, startChildAhead, takeChild } from './fork-child.ts'
import { homeFolder } from './home-folder.ts'
import { loadDataset } from './home.ts'
import { lockJob } from './lock.ts'
import type { SparkPlace } from './spark-engine.ts'
import { openStore } from './stores.ts'

export function createApp(version: string): App {
  const app: App = {
    version,
    home: homeFolder(),
    ...lazily(() => import('./tables-app.ts').then((one) => one.createTablesApp()), ['listTables', 'showTable', 'tableVersions', 'tableFiles', 'query', 'verify', 'register']),
    ...lazily(() => import('./offsets-app.ts').then((one) => one.createOffsetsApp()), ['offsets', 'setOffsets']),
    ...lazily(() => import('./quarantine-app.ts').then((one) => one.createQuarantineApp()), ['listQuarantine', 'showQuarantined', 'exportQuarantine', 'replayQuarantine']),
    ...lazily(() => import('./upkeep-app.ts').then((one) => one.createUpkeepApp()), ['compact', 'retain', 'vacuum', 'deleteRows', 'reprocess']),
    ...lazily(() => import('./infer.ts'), ['inferDataset']),
    async checkDataset(path, { engine }) {
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? failure('path_not_found', { path, base: process.cwd() }) : storageFailure(error, 'read', path)
      })
      const result = checkDataset(text)
      const onSpark = result.dataset !== undefined && (engine ?? result.dataset.engine) === 'spark'
      return { ...result, path: resolve(path), unsupported: onSpark ? unsupportedOnSpark(result.dataset) : [] }
    },
    produce: async (request) => (await import('./produce-job.ts')).runProducer(request),
    stream: runStream,
    async batch(dataset, options) {
      const loaded = await loadDataset(dataset, options.engine)
      if (options.hold.length + options.release.length > 0) await setHolds(loaded, options.hold, options.release)
      const { runBatch } = await import('./batch-job.ts')
      return runBatch(loaded, { memoryBytes: options.memoryBytes, dryRun: options.dryRun, progress: options.say })
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

/** Methods of a part of the app that is loaded when one of them is called: DuckDB and Kafka cost half a second each. */
function lazily<Part, Name extends keyof Part>(load: () => Promise<Part>, names: Name[]): Pick<Part, Name> {
  const method = (name: Name) => async (...args: unknown[]) => ((await load())[name] as (...all: unknown[]) => unknown)(...args)
  return Object.fromEntries(names.map((name) => [name, method(name)])) as Pick<Part, Name>
}

const runStream: App['stream'] = async (name, options) => {
  startChildAhead()
  try {
    return await streamWith(await loadDataset(name, options.engine), options)
  } finally {
    dropChildAhead()
  }
}

async function streamWith(loaded: Awaited<ReturnType<typeof loadDataset>>, options: Parameters<App['stream']>[1]): ReturnType<App['stream']> {
  const { createLogger, createStreamMetrics, serveMetrics } = await import('./telemetry.ts')
  const metrics = createStreamMetrics(loaded.dataset.name)
  const log = process.stderr.isTTY ? undefined : createLogger()
  const server = options.metricsPort === undefined ? undefined : await serveMetrics(metrics.registry, options.metricsPort)
  const unlock = await lockJob(`stream ${loaded.dataset.name}`)
  let spark: SparkPlace | undefined
  try {
    spark = loaded.dataset.engine === 'spark' ? await (await import('./spark-engine.ts')).findSpark(loaded.dataset.spark, options.say) : undefined
    const job = loaded.dataset.source.kind === 'kafka' ? (await import('./stream-job.ts')).runKafkaStream : (await import('./file-stream.ts')).runFileStream
    // The supervisor waits by itself when a commit finds no room; what comes before it (a new table, a first mark) waits here.
    const start = (): ReturnType<App['stream']> => job(loaded, {
      spawn: takeChild,
      spark: spark && { address: spark.address, tls: spark.tls, token: spark.token },
      untilCaughtUp: options.untilCaughtUp,
      signal: options.signal,
      observer: {
        committed(event) {
          metrics.committed(event)
          log?.debug({ event: 'commit', ...event })
          options.onCommit(event)
        },
        alive: metrics.alive,
        trouble(event) {
          metrics.trouble(event)
          options.say(`${event.message} Trying again.`)
        },
        childDied(event) {
          metrics.childDied(event)
          options.say(`A child ended (${event.reason}); another goes on from the last commit.`)
        },
        evolved: (names) => options.say(names.length === 0 ? 'A new field was seen; the limit of added columns is reached.' : `New columns in RAW: ${names.join(', ')}.`),
      },
    })
    return await whenStorageAllows(start, options.signal, (error) => options.say(`${error.message} Trying again.`))
  } finally {
    await spark?.leave()
    await unlock()
    server?.close()
  }
}

/** Holds and releases of table partitions by an operator: marks of Processed. */
async function setHolds(loaded: Awaited<ReturnType<typeof loadDataset>>, hold: string[], release: string[]): Promise<void> {
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
  await table.commit({ operation: 'HOLD PARTITIONS', adds: [], removes: [], marks, expect: {}, info: { hold, release } }, Date.now())
}
