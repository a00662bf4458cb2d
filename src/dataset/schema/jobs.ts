/** `stream`, `engine`, `spark`, `upkeep`: how jobs work, and where. */
import { LIMITS } from '../../core/limits.ts'
import { object, text } from './nodes.ts'

export const STREAM = object('Settings of the stream job.', {
  commit_interval_ms: {
    type: 'integer',
    minimum: LIMITS.commitIntervalMinMs,
    maximum: 3_600_000,
    description: `Milliseconds between commits. Default ${LIMITS.commitIntervalMs}.`,
  },
  rows_per_file: {
    type: 'integer',
    minimum: 1,
    maximum: 1_000_000,
    description: `Maximum number of rows in a data file. Default ${LIMITS.rowsPerFile}.`,
  },
  children: {
    type: 'integer',
    minimum: 1,
    maximum: 64,
    description: 'Number of child processes. Default: one per two cores.',
  },
})

export const ENGINE = {
  enum: ['duckdb', 'spark'],
  description:
    'Engine that writes the files: DuckDB in the process of the job, or Spark. You can change it between two batches; --engine overrides it for one run. Default duckdb.',
}

export const SPARK = object('Spark settings, for engine: spark.', {
  connect: text(
    'host:port of a Spark Connect server (cluster mode). Default: Headrace starts a server for the job.',
    { pattern: '^(sc://)?[^:/]+:[0-9]+$' },
  ),
  tls: { type: 'boolean', description: 'Use TLS to that server. Default false.' },
  token_file: text('File with the token of that server (mode 600).'),
  master: text(
    'Spark master of a server that Headrace starts: local[2] (in its own process) or spark://host:7077 (standalone cluster, client mode). Default local[*].',
    { pattern: '^(local(\\[[0-9*]+\\])?|local-cluster\\[[0-9]+,[0-9]+,[0-9]+\\]|spark://.+)$' },
  ),
  memory: text('Heap of a server that Headrace starts. Default 2g.', { pattern: '^[0-9]+[mg]$' }),
  settings: {
    type: 'object',
    description:
      'Spark properties of a server that Headrace starts, e.g. spark.executor.memory. Do not put secrets here: Spark shows its settings.',
    additionalProperties: { type: 'string' },
  },
  batch_messages: {
    type: 'integer',
    minimum: 1,
    maximum: 10_000_000,
    description: `Maximum number of messages in one batch. Default ${LIMITS.sparkBatchMessages}.`,
  },
  task_command: text(
    'Command that runs a Headrace task on the executors, e.g. headrace-task. Default: the path of this installation.',
  ),
})

export const UPKEEP = object(
  'Settings of headrace upkeep, which merges small files, archives old days and deletes unused files.',
  {
    schedule: text('Cron schedule of headrace upkeep --schedule. Default 35 * * * *.'),
    schedule_timezone: text('Time zone of the schedule. Default UTC.'),
    file_mib: {
      type: 'integer',
      minimum: 1,
      maximum: 4096,
      description: 'Target size of merged files, in MiB. Default 128.',
    },
    rows_per_file: {
      type: 'integer',
      minimum: 1,
      description: `Maximum number of rows in a merged file. Default ${LIMITS.rowsPerMergedFile}.`,
    },
    grace_hours: {
      type: 'integer',
      minimum: 1,
      description: 'Hours to keep replaced files for running readers and older versions. Default 24.',
    },
  },
)
