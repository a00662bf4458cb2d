/**
 * One execution of a dataset: from its source into RAW, exactly once, and from there into Processed. A job
 * with a schedule takes the available data and publishes them. A job without one reads until it is stopped,
 * and publishes by the dataset's own schedule.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFolder } from '../connectors/files/source.ts'
import { createKafkaClient } from '../connectors/kafka/client.ts'
import { thousandths } from '../core/service/amounts.ts'
import { failure } from '../core/errors.ts'
import type { BatchResult, CommitEvent } from '../core/results.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { pause } from '../core/waiting.ts'
import { runAtTicks } from '../runner/ticks.ts'
import { placeDataset, type LoadedDataset } from '../operations/datasets.ts'
import { streamOf } from '../operations/stream.ts'
import { settings } from '../host/settings.ts'
import { executionResolver } from '../net/dial.ts'
import { declaredDataset } from './declared-dataset.ts'
import { isFetched } from './source-kinds.ts'
import { rootsOf, tenantPath } from './tenant-paths.ts'
import { fetchInto, tidyInbox, type Fetched } from './zone-input.ts'
import type { Outcome, Progress, Receipt, Work } from './work.ts'

const DEFAULT_SAMPLE_MESSAGES = 100_000

/**
 * Several jobs may fill one dataset: a job that is due at the same time waits for about its own estimated
 * time.
 */
const lockWaitMs = ({ estimatedMinutes }: Work): number => Math.max(1, estimatedMinutes) * 60_000

interface Run {
  progress: Progress
  signal: AbortSignal
  /** In seconds, monotonic. */
  now: () => number
  /** Publishes the rows of RAW while the stream continues. */
  batch(): Promise<void>
}

/** Runs until it is done, or until the signal; then it ends after a commit. */
export async function runZones(work: Work, run: Run): Promise<Outcome> {
  const { signal, now } = run
  const started = now()
  const loaded = await place(work)
  const stopped = new AbortController()
  signal.addEventListener('abort', () => stopped.abort(), { once: true })
  if (signal.aborted) stopped.abort()
  const inbox = inboxOf(work, loaded.dataset)
  const fetched = inbox === undefined ? undefined : await fetchInto(inbox, work, run)
  const total = work.draft && fetched === undefined ? await messagesOf(loaded.dataset) : undefined
  const tally = emptyTally()
  const stream = streamOf(loaded, {
    engine: {},
    untilCaughtUp: !work.continuous,
    lockWaitMs: lockWaitMs(work),
    metricsPort: undefined,
    signal: stopped.signal,
    onCommit(event) {
      countCommit(tally, event, now())
      run.progress(tally.accepted, tally.read, 'streaming', event.freshnessMs)
      if (work.draft && tally.messages >= sampleMessages(work)) stopped.abort()
    },
    say: (text) => process.stdout.write(`${new Date().toISOString()} ${text}\n`),
  }).finally(() => stopped.abort())
  const publishing = work.continuous ? publishAtTicks(loaded.dataset, run.batch, stopped.signal) : undefined
  const [{ version }] = await Promise.all([stream, publishing])
  if (inbox !== undefined && !signal.aborted) await tidyInbox(inbox)
  const published = work.continuous || work.draft ? [] : await publishZones(work, loaded)
  const ended = now()
  const commitSeconds = loaded.dataset.stream.commitIntervalMs / 1_000
  const startup = Math.max(0, (tally.firstCommit ?? ended) - started - commitSeconds)
  const receipt: Receipt = {
    ...countsOf(tally, fetched),
    work_seconds: thousandths(ended - started - startup),
    startup_seconds: thousandths(startup),
    output: [loaded.rawPath, ...(published.length > 0 ? [loaded.processedPath] : [])],
    raw_version: version,
    published_rows: published.reduce((rows, batch) => rows + batch.published, 0),
    ...(work.draft ? estimateOf(work, fetched?.share ?? shareOf(tally.messages, total)) : {}),
  }
  return { receipt, cursor: fetched?.cursor }
}

/** The totals of what the stream has committed. */
interface Tally {
  messages: number
  accepted: number
  rejected: number
  duplicates: number
  read: number
  written: number
  worstFreshnessMs: number
  /** The time, by `now`. */
  firstCommit: number | undefined
}

const emptyTally = (): Tally => ({
  messages: 0,
  accepted: 0,
  rejected: 0,
  duplicates: 0,
  read: 0,
  written: 0,
  worstFreshnessMs: 0,
  firstCommit: undefined,
})

function countCommit(tally: Tally, { counts, bytes, freshnessMs }: CommitEvent, now: number): void {
  tally.firstCommit ??= now
  tally.messages += counts.messages
  tally.accepted += counts.accepted
  tally.rejected += counts.quarantined
  tally.duplicates += counts.duplicate
  tally.read += counts.bytes
  tally.written += bytes
  tally.worstFreshnessMs = Math.max(tally.worstFreshnessMs, freshnessMs)
}

/** The numbers of the stream for a receipt. */
function countsOf(
  tally: Tally,
  fetched: Fetched | undefined,
): Pick<Receipt, 'rows' | 'rejected' | 'bytes_read' | 'bytes_written'> & Partial<Receipt> {
  return {
    rows: tally.accepted,
    rejected: tally.rejected,
    bytes_read: fetched?.bytes ?? tally.read,
    bytes_written: tally.written,
    messages: tally.messages,
    duplicates: tally.duplicates,
    worst_freshness_seconds: thousandths(tally.worstFreshnessMs / 1_000),
  }
}

const sampleMessages = ({ source }: Work): number => Number(source.sample_messages ?? DEFAULT_SAMPLE_MESSAGES)

/** The share of a sample in all messages. */
const shareOf = (messages: number, total: number | undefined): number =>
  total === undefined || total === 0 ? 1 : Math.min(1, messages / total)

/** The estimate for this share of the whole, for a draft's receipt. */
const estimateOf = ({ estimatedMinutes }: Work, share: number): Partial<Receipt> => ({
  sample_share: share,
  estimated_seconds: Math.max(1, thousandths(estimatedMinutes * 60 * share)),
})

/** Where files of a fetched source wait for the stream. */
function inboxOf(work: Work, { source }: Dataset): string | undefined {
  return isFetched(work.sourceType, work.source) && source.kind === 'files' ? source.path : undefined
}

/** Publishes by the dataset's own schedule until the signal. */
async function publishAtTicks(
  dataset: Dataset,
  action: () => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  if (!publishes(dataset)) return
  await runAtTicks({
    schedule: dataset.processed.schedule,
    action,
    nowMs: Date.now,
    pause: (ms) => pause(ms, { signal }),
    signal,
  })
}

/** Only the batch, in a separate process next to a running stream. */
export async function publishZones(work: Work, loaded?: LoadedDataset): Promise<BatchResult[]> {
  const of = loaded ?? (await place(work))
  if (!publishes(of.dataset)) return []
  const { LEAST_BYTES, runBatch } = await import('../operations/batch.ts')
  return runBatch(of, {
    memoryBytes: Math.max(LEAST_BYTES, Math.floor(work.memoryBytes / 2)),
    dryRun: false,
    progress: (text) => process.stdout.write(`${new Date().toISOString()} ${text}\n`),
  })
}

const publishes = (dataset: Dataset): boolean => dataset.processed.key.length > 0

/**
 * The dataset with everything in its tenant's folder; for a draft, in the scratch folder. Paths that lead out
 * of it are refused.
 */
async function place(work: Work): Promise<LoadedDataset> {
  const dataset = declaredDataset(work.sourceType, work.source)
  const roots = rootsOf(work)
  const home = work.draft ? work.scratchFolder : work.tenantFolder
  if (work.draft) Object.assign(dataset.raw, { path: '', archive: '' })
  if (work.draft) dataset.processed.path = ''
  await Promise.all([work.workFolder, home].map((folder) => mkdir(folder, { recursive: true })))
  const loaded = placeDataset(dataset, { path: join(work.tenantFolder, 'declaration.yaml'), home })
  if (!work.draft)
    for (const path of [loaded.rawPath, loaded.processedPath, loaded.archivePath])
      if (path !== undefined) await tenantPath(path, roots)
  const { source } = dataset
  // It belongs to the job, not to the dataset: several jobs may fill one dataset, and a deleted job leaves
  // nothing to another.
  if (isFetched(work.sourceType, work.source) && source.kind === 'files')
    source.path = join(home, 'inbox', work.jobId)
  else if (source.kind === 'files') source.path = await tenantPath(source.path, roots, true)
  else {
    if (source.sasl !== undefined) source.sasl.passwordFile = await secretFile(work, 'password')
    if (source.tls?.ca !== undefined)
      source.tls.ca =
        work.sourceSecret?.ca === undefined
          ? await tenantPath(source.tls.ca, roots)
          : await secretFile(work, 'ca')
  }
  return loaded
}

/** Writes a field of the job's secret to the folder of the execution, which is removed at its end. */
async function secretFile(work: Work, field: string): Promise<string> {
  const value = work.sourceSecret?.[field]
  if (value === undefined)
    throw failure('setting_missing', {
      where: `the secret ${String(work.source.credentials_secret)}`,
      setting: field,
      example: `headrace secrets set ${String(work.source.credentials_secret)} --from-file FILE, a JSON object with the field ${field}`,
    })
  const path = join(work.workFolder, field)
  await writeFile(path, value, { mode: 0o600 })
  return path
}

/** The present number of messages (files), of which a sample is a part. */
async function messagesOf({ source }: Dataset): Promise<number> {
  if (source.kind === 'files')
    return (await createFolder(source.path, source.pattern, 0, Date.now).list()).complete.length
  const client = createKafkaClient(source, executionResolver(settings()))
  try {
    const info = await client.topic(source.topic)
    const [first, last] = [
      await client.offsetsAt(source.topic, info, -2),
      await client.offsetsAt(source.topic, info, -1),
    ]
    return [...last].reduce((sum, [partition, end]) => sum + end - (first.get(partition) ?? 0), 0)
  } finally {
    await client.close()
  }
}
