/** `raw` and `processed`: the tables, and the batch that fills the second. */
import { list, object, text } from './nodes.ts'

const COMPRESSION = {
  enum: ['zstd', 'snappy', 'gzip'],
  description: 'Compression of data files. Default zstd.',
}

const PARTITION = object(
  'A partition of the Processed table.',
  {
    column: text('A declared column, or message_time.'),
    transform: { enum: ['identity', 'year', 'month', 'day'], description: 'Default identity.' },
    timezone: text('Zone in which a timestamp is cut. Default UTC.'),
  },
  ['column'],
)

export const RAW = object('The RAW zone.', {
  path: text('Folder of the table. Default HEADRACE_HOME/tables/<dataset>/raw.'),
  retention_days: {
    type: 'integer',
    minimum: 1,
    description: 'Days of ingest that stay in RAW, once the batch has used them. Default 30.',
  },
  archive: text('Folder of the archive table to which older days move. Default: they are deleted.'),
  keep_original: {
    type: 'boolean',
    description: 'Keep the bytes of accepted messages as well. Default false.',
  },
  cluster_by: list('Compaction orders rows by these columns, so that readers skip files.'),
  compression: COMPRESSION,
})

export const PROCESSED = object(
  'The Processed zone and the batch that fills it.',
  {
    path: text('Folder of the table. Default HEADRACE_HOME/tables/<dataset>/processed.'),
    key: list('Columns that make a record unique.'),
    keep: {
      enum: ['first', 'latest'],
      description:
        'Which of several records with one key is published: the first that arrived, or the one with the greatest latest_by, which rewrites the files that held an older one. Default first.',
    },
    latest_by: text('keep: latest: the column whose greatest value wins. Default message_time.'),
    partition_by: list('Partitions of the table.', PARTITION),
    horizon_days: {
      type: 'integer',
      minimum: 1,
      description: 'Look for duplicates only among keys published in so many days.',
    },
    schedule: text(
      'Cron of the batch: minute hour day month weekday, or six fields with seconds first. Default 5 * * * *. When clocks change, one time of day runs once (at the end of the gap, or the first of two times); lists, ranges, steps and * run whenever the local clock matches. Ticks that were missed are made good by one batch.',
    ),
    schedule_timezone: text('Time zone of the schedule, e.g. Europe/Berlin. Default UTC.'),
    cluster_by: list('Compaction orders rows by these columns, so that readers skip files.'),
    compression: COMPRESSION,
    gate: object('Hold a table partition whose delta looks wrong.', {
      max_reject_ratio: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        description: 'Greatest share of quarantined records.',
      },
    }),
  },
  ['key'],
)
