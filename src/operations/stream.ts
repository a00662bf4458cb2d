/** One run of a dataset's stream: its lock, its engine, its output and its measurements. */
import type { StreamOptions } from './app.ts'
import type { StreamSummary } from '../core/results.ts'
import { whenStorageAllows } from '../core/waiting.ts'
import { takeChild } from './fork-child.ts'
import type { LoadedDataset } from './datasets.ts'
import { lockJobWithin } from '../host/lock.ts'
import type { SparkPlace } from './spark-engine.ts'

/**
 * Runs the stream of a dataset, whatever its source and engine. Throws `job_running` if this machine already
 * runs it.
 */
export async function streamOf(loaded: LoadedDataset, options: StreamOptions): Promise<StreamSummary> {
  const { createLogger, createStreamMetrics, serveMetrics } = await import('./telemetry.ts')
  const metrics = createStreamMetrics(loaded.dataset.name)
  const log = process.stderr.isTTY ? undefined : createLogger()
  const server =
    options.metricsPort === undefined ? undefined : await serveMetrics(metrics.registry, options.metricsPort)
  const unlock = await lockJobWithin(loaded.home, `stream ${loaded.dataset.name}`, {
    ...options,
    waitMs: options.lockWaitMs ?? 0,
  })
  let spark: SparkPlace | undefined
  try {
    spark =
      loaded.dataset.engine === 'spark'
        ? await (await import('./spark-engine.ts')).findSpark(loaded.dataset.spark, options.say)
        : undefined
    const job =
      loaded.dataset.source.kind === 'kafka'
        ? (await import('./kafka-stream.ts')).runKafkaStream
        : (await import('./file-stream.ts')).runFileStream
    // The supervisor itself waits if a commit finds the disk full. The steps before it (a new table, a first
    // mark) wait here.
    const start = (): Promise<StreamSummary> =>
      job(loaded, {
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
            options.say(`A child ended (${event.reason}). Another one continues from the last commit.`)
          },
          evolved: (names) =>
            options.say(
              names.length === 0
                ? 'There is a new field, but the limit of added columns is reached.'
                : `New columns in RAW: ${names.join(', ')}.`,
            ),
        },
      })
    return await whenStorageAllows(start, options.signal, (error) =>
      options.say(`${error.message} Trying again.`),
    )
  } finally {
    await spark?.leave()
    await unlock()
    server?.close()
  }
}
