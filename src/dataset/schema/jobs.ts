/** `stream`, `engine`, `spark`, `upkeep`: how jobs work, and where. */
import { LIMITS } from '../../core/limits.ts'
import { object, text } from './nodes.ts'

export const STREAM = object('How the stream job works.', {
  commit_interval_ms: {
    type: 'integer',
    minimum: LIMITS.commitIntervalMinMs,
    maximum: 3_600_000,
    description: `Default ${LIMITS.commitIntervalMs}.`,
  },
  rows_per_file: {
    type: 'integer',
    minimum: 1,
    maximum: 1_000_000,
    description: `Default ${LIMITS.rowsPerFile}.`,
  },
  children: {
    type: 'integer',
    minimum: 1,
    maximum: 64,
    description: 'Child processes. Default one for two cores.',
  },
})

export const ENGINE = {
  enum: ['duckdb', 'spark'],
  description:
    "What makes the files: DuckDB in the job's own process, or Spark. A dataset may change it between two batches; --engine overrides it for a run. Default duckdb.",
}

export const SPARK = object('Where Spark runs, for engine: spark.', {
  connect: text(
    'host:port of a Spark Connect server that lives elsewhere (cluster mode). Default: one is started for the job.',
    { pattern: '^(sc://)?[^:/]+:[0-9]+$' },
  ),
  tls: { type: 'boolean', description: 'TLS to that server. Default false.' },
  token_file: text('File that holds the token of that server (mode 600).'),
  master: text(
    'Where a started server works: local[2] in its own process, spark://host:7077 on a standalone cluster (client mode). Default local[*].',
    { pattern: '^(local(\\[[0-9*]+\\])?|local-cluster\\[[0-9]+,[0-9]+,[0-9]+\\]|spark://.+)$' },
  ),
  memory: text('Heap of a started server. Default 2g.', { pattern: '^[0-9]+[mg]$' }),
  settings: {
    type: 'object',
    description:
      'Further settings of a started server, e.g. spark.executor.memory. No secrets: Spark shows its settings.',
    additionalProperties: { type: 'string' },
  },
  batch_messages: {
    type: 'integer',
    minimum: 1,
    maximum: 10_000_000,
    description: `Most messages of one batch. Default ${LIMITS.sparkBatchMessages}.`,
  },
  task_command: text(
    'Command that runs a task where executors are, e.g. headrace-task. Default: this installation, at its path.',
  ),
})

export const UPKEEP = object('Small files, old days and dead files of both zones: headrace upkeep.', {
  schedule: text('Cron of headrace upkeep --schedule. Default 35 * * * *.'),
  schedule_timezone: text('Default UTC.'),
  file_mib: {
    type: 'integer',
    minimum: 1,
    maximum: 4096,
    description: 'Size that compaction merges small files to, in MiB. Default 128.',
  },
  rows_per_file: {
    type: 'integer',
    minimum: 1,
    description: `Most rows of a merged file. Default ${LIMITS.rowsPerMergedFile}.`,
  },
  grace_hours: {
    type: 'integer',
    minimum: 1,
    description: 'How long files that were replaced stay for running readers and older versions. Default 24.',
  },
})
