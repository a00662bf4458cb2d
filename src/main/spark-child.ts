/** Wires the child of a stream job on Spark. */
import { outOfRange } from '../connectors/kafka/source.ts'
import { createKafkaClient, type KafkaClient } from '../connectors/kafka/client.ts'
import { HeadraceError, failure } from '../core/errors.ts'
import type { CommittedFiles, StageEngine } from '../core/engine.ts'
import { createRangeEngine } from '../engines/spark/range.ts'
import type { ChildSettings, SparkAddress, ToChild, ToSupervisor } from '../runner/protocol.ts'
import { runRangeChild } from '../runner/range-child.ts'
import { unpackHeads } from '../runner/range-task.ts'
import { retry, isTransient } from '../core/waiting.ts'
import { settings } from '../host/settings.ts'
import { mayArm } from './failpoint-once.ts'
import type { RawTable } from '../operations/raw-table.ts'
import { openSession, taskCommand } from '../operations/spark-engine.ts'

export interface SparkChildParts {
  settings: ChildSettings & { spark: SparkAddress }
  raw: RawTable
  identities: StageEngine
  filesFrom(leastOffset: number): Promise<CommittedFiles>
  send(message: ToSupervisor): void
  onMessage(handler: (message: ToChild) => void): void
  /** Aborts when the supervisor wants the child to end. */
  stopped: AbortSignal
}

export async function runSparkChild(parts: SparkChildParts): Promise<void> {
  const { settings, raw } = parts
  const { dataset } = settings
  if (dataset.source.kind !== 'kafka')
    throw failure('not_supported', {
      feature: 'a folder of files as source on Spark',
      instead: 'Use engine: duckdb for this dataset.',
    })
  const { rawPath, topic, topicId } = settings
  const engine = createRangeEngine({
    session: await openSession(settings.spark),
    task: (work, { poison, ingestMs }) =>
      taskCommand(dataset.spark.taskCommand, {
        work,
        dataset,
        columns: raw.columns,
        rawPath,
        topic,
        topicId,
        ingestMs,
        poison,
        failpoint: taskFailpoint(work),
      }),
    unpackHeads,
    signal: parts.stopped,
  })
  const client = createKafkaClient(dataset.source)
  await runRangeChild({
    ...parts,
    dataset,
    engine,
    ends: (next) => patiently(parts, parts.stopped, () => endsOf(client, settings, next)),
    batchMessages: dataset.spark.batchMessages,
    nowMs: Date.now,
  })
}

/** Tests kill tasks where they make files durable, or at a message. */
function taskFailpoint(work: 'heads' | 'files'): string | undefined {
  const name = settings().failpoint_task
  return name !== undefined && work === 'files' && mayArm() ? name : undefined
}

/**
 * Ends of the topic that we read. If it is gone, or if our positions are ahead of it, the job ends with an
 * error.
 */
async function endsOf(
  client: KafkaClient,
  settings: ChildSettings,
  next: ReadonlyMap<number, number>,
): Promise<Map<number, number>> {
  const { topic, topicId } = settings
  const info = await client.topic(topic)
  if (info.topicId !== topicId)
    throw failure('topic_recreated', {
      topic,
      expected: topicId,
      found: info.topicId,
      dataset: settings.dataset.name,
    })
  const [first, last] = [await client.offsetsAt(topic, info, -2), await client.offsetsAt(topic, info, -1)]
  for (const [partition, offset] of next)
    if (offset < (first.get(partition) ?? 0) || offset > (last.get(partition) ?? Infinity))
      throw await outOfRange({ client, topic }, partition, offset)
  return last
}

const LONGEST_PAUSE_MS = 5_000

/** Reports transient errors and retries, with a growing pause. */
async function patiently<T>(
  parts: SparkChildParts,
  signal: AbortSignal,
  action: () => Promise<T>,
): Promise<T> {
  return retry(action, {
    mayPass: isTransient,
    firstPauseMs: 100,
    longestPauseMs: LONGEST_PAUSE_MS,
    signal,
    onFailure(error) {
      const { code, message } = error as HeadraceError
      parts.send({ type: 'trouble', code, message })
    },
  })
}
