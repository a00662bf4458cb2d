/** Wires and runs the sample producer. */
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ProduceRequest } from './app.ts'
import { openFolderSink } from '../connectors/files/sink.ts'
import { ensureTopic, openKafkaSink, partitionOf } from '../connectors/kafka/sink.ts'
import { failure, storageFailure } from '../core/errors.ts'
import type { MessageSink } from '../core/message-sink.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { openJournal } from '../sample/journal.ts'
import { produce } from '../sample/produce.ts'
import { homeFolder } from '../host/home-folder.ts'
import { loadDataset } from './datasets.ts'

export async function runProducer(request: ProduceRequest): Promise<Record<string, unknown>> {
  const { dataset } = await loadDataset(request.dataset, request.engine)
  const { source } = dataset
  const topic = source.kind === 'kafka' ? source.topic : dataset.name
  const to = request.to ?? source.kind
  const folder = request.folder ?? (source.kind === 'files' ? source.path : 'incoming')
  const journalFile =
    request.journal || join(homeFolder(), 'journals', `${to === 'kafka' ? topic : `${topic}-files`}.tsv`)
  await mkdir(dirname(journalFile), { recursive: true }).catch((error: unknown) => {
    throw storageFailure(error, 'write', journalFile)
  })
  const journal = await openJournal(journalFile, { seed: request.seed, shares: request.shares })
  const openSink = async (): Promise<MessageSink> => {
    if (to === 'files') return openFolderSink(folder)
    return dataset.engine === 'spark' ? openOnSpark(request, dataset) : openTopic(request, source)
  }
  const sink = await openSink()
  try {
    const summary = await produce({
      journal,
      sink,
      count: request.count,
      ratePerSecond: request.ratePerSecond,
      signal: request.signal,
      nowMs: Date.now,
      progress: request.progress,
    })
    return {
      ...summary,
      to: to === 'files' ? folder : topic,
      journal: journalFile,
      nextMessage: journal.next,
    }
  } finally {
    await sink.close()
  }
}

async function openTopic(
  request: ProduceRequest,
  source: { kind: string },
): Promise<Awaited<ReturnType<typeof openKafkaSink>>> {
  if (source.kind !== 'kafka')
    throw failure('usage', { reason: 'This dataset reads a folder. Produce files with --to files' })
  return openKafkaSink({
    spec: source as Parameters<typeof openKafkaSink>[0]['spec'],
    partitions: request.partitions,
    compression: request.compression as 'none',
  })
}

async function openOnSpark(request: ProduceRequest, { source, spark }: Dataset): Promise<MessageSink> {
  if (source.kind !== 'kafka')
    throw failure('usage', { reason: 'This dataset reads a folder. Produce files with --to files' })
  if (source.tls !== undefined || source.sasl !== undefined)
    throw failure('not_supported', {
      feature: 'producing from Spark to a broker with TLS or SASL',
      instead: 'Produce without Spark: --engine duckdb',
    })
  const { findSpark, openSession } = await import('./spark-engine.ts')
  const { openSparkSink } = await import('../engines/spark/kafka-sink.ts')
  const partitions = await ensureTopic({ spec: source, partitions: request.partitions })
  const place = await findSpark(spark, request.say)
  const session = await openSession(place)
  const close = (): Promise<void> => session.close().finally(() => place.leave())
  return openSparkSink({
    session,
    brokers: source.brokers,
    topic: source.topic,
    partitionOf: (key) => partitionOf(key, partitions),
    close,
  })
}
