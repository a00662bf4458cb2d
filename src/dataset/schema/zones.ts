/** `raw` and `processed`: the tables, and the batch that fills the second. */
import { list, object, text } from './nodes.ts'

const COMPRESSION = {
  enum: ['zstd', 'snappy', 'gzip'],
  description: 'Compression of data files. Default zstd.',
}

const PARTITION = object(
  'A partition column of the Processed table.',
  {
    column: text('A declared column, or message_time.'),
    transform: {
      enum: ['identity', 'year', 'month', 'day'],
      description: 'How to derive the partition from the value. Default identity.',
    },
    timezone: text('Time zone in which a timestamp is cut to a year, month or day. Default UTC.'),
  },
  ['column'],
)

export const RAW = object('The RAW zone.', {
  path: text('Location of the table. Default HEADRACE_HOME/tables/<dataset>/raw.'),
  retention_days: {
    type: 'integer',
    minimum: 1,
    description: 'Days to keep in RAW. Days that the batch has not read yet stay longer. Default 30.',
  },
  archive: text('Location of the archive table, which gets the older days. Default: older days are deleted.'),
  keep_original: {
    type: 'boolean',
    description: 'Keep the original bytes of accepted messages too. Default false.',
  },
  cluster_by: list('Compaction sorts rows by these columns, so that readers can skip files.'),
  compression: COMPRESSION,
})

export const PROCESSED = object(
  'The Processed zone and the batch that fills it.',
  {
    path: text('Location of the table. Default HEADRACE_HOME/tables/<dataset>/processed.'),
    key: list('Columns that identify a record.'),
    keep: {
      enum: ['first', 'latest'],
      description:
        'Which of several records with the same key is published: the first that arrived, or the one with the greatest latest_by. latest rewrites the files that have an older record. Default first.',
    },
    latest_by: text('For keep: latest: the column whose greatest value wins. Default message_time.'),
    partition_by: list('Partition columns of the table.', PARTITION),
    horizon_days: {
      type: 'integer',
      minimum: 1,
      description: 'Compare keys only with those published within this number of days. Default: with all.',
    },
    schedule: text(
      'Cron schedule of the batch: minute hour day month weekday, or six fields with seconds first. Default 5 * * * *. When clocks change, a single time of day runs once (at the end of the gap, or at the first of two times); lists, ranges, steps and * run whenever the local clock matches. One batch makes up for all missed runs.',
    ),
    schedule_timezone: text('Time zone of the schedule, e.g. Europe/Berlin. Default UTC.'),
    cluster_by: list('Compaction sorts rows by these columns, so that readers can skip files.'),
    compression: COMPRESSION,
    gate: object('When to hold back a table partition instead of publishing it.', {
      max_reject_ratio: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        description: 'Maximum share of quarantined records, from 0 to 1.',
      },
    }),
  },
  ['key'],
)
