/** The composition root of the CLI: every use case, wired with the real parts. */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { App } from '../control/app.ts'
import { failure, storageFailure } from '../core/errors.ts'
import { heldMark, consumerMark } from '../core/marks.ts'
import { checkDataset } from '../dataset/check.ts'
import { createLocalStore } from '../lakehouse/stores/local.ts'
import { openTable } from '../lakehouse/table.ts'
import { OPERATOR_HOLD } from '../runner/hourly-batch.ts'
import { openProcessed, runBatch } from './batch-job.ts'
import { homeFolder, loadDataset } from './home.ts'
import { inferDataset } from './infer.ts'
import { lockJob } from './lock.ts'
import { createOffsetsApp } from './offsets-app.ts'
import { runProducer } from './produce-job.ts'
import { createQuarantineApp } from './quarantine-app.ts'
import { runFileStream } from './file-stream.ts'
import { runKafkaStream } from './stream-job.ts'
import { createTablesApp } from './tables-app.ts'
import { createLogger, createStreamMetrics, serveMetrics } from './telemetry.ts'

export function createApp(version: string): App {
  return {
    version,
    home: homeFolder(),
    ...createTablesApp(),
    ...createOffsetsApp(),
    ...createQuarantineApp(),
    async checkDataset(path) {
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? failure('path_not_found', { path, base: process.cwd() }) : storageFailure(error, 'read', path)
      })
      return { ...checkDataset(text), path: resolve(path) }
    },
    inferDataset,
    produce: runProducer,
    stream: runStream,
    async batch(dataset, options) {
      const loaded = await loadDataset(dataset)
      if (options.hold.length + options.release.length > 0) await setHolds(loaded, options.hold, options.release)
      return runBatch(loaded, { memoryBytes: options.memoryBytes, dryRun: options.dryRun, progress: options.say })
    },
    batchSchedule: async (dataset) => (await loadDataset(dataset)).dataset.processed.schedule,
  }
}

const runStream: App['stream'] = async (name, options) => {
  const loaded = await loadDataset(name)
  const metrics = createStreamMetrics(loaded.dataset.name)
  const log = process.stderr.isTTY ? undefined : createLogger()
  const server = options.metricsPort === undefined ? undefined : await serveMetrics(metrics.registry, options.metricsPort)
  const unlock = await lockJob(`stream ${loaded.dataset.name}`)
  const run = loaded.dataset.source.kind === 'kafka' ? runKafkaStream : runFileStream
  try {
    return await run(loaded, {
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
  } finally {
    await unlock()
    server?.close()
  }
}

/** Holds and releases of table partitions by an operator: marks of Processed. */
async function setHolds(loaded: Awaited<ReturnType<typeof loadDataset>>, hold: string[], release: string[]): Promise<void> {
  const raw = await openTable(createLocalStore(loaded.rawPath))
  if (raw === undefined) throw failure('table_not_found', { path: loaded.rawPath })
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

/** Where the producer keeps its journal by default. */
export function journalPath(topic: string): string {
  return join(homeFolder(), 'journals', `${topic}.tsv`)
}
