/**
 * The JSON Schema of a dataset declaration (draft 2020-12). One object serves three ends: editors complete
 * from it (`schemas/dataset.json` is written from here), `dataset check` validates with it, and the reference
 * page lists it.
 */
import { LIMITS } from '../core/limits.ts'

const text = (description: string, more: object = {}): object => ({ type: 'string', description, ...more })
const list = (description: string, items: object = { type: 'string' }): object => ({
  type: 'array',
  description,
  items,
})
const object = (description: string, properties: object, required: string[] = []): object => ({
  type: 'object',
  description,
  properties,
  required,
  additionalProperties: false,
})

const COMPRESSION = {
  enum: ['zstd', 'snappy', 'gzip'],
  description: 'Compression of data files. Default zstd.',
}

const TYPE = {
  enum: ['string', 'uuid', 'integer', 'long', 'double', 'decimal', 'boolean', 'date', 'timestamp'],
  description:
    'Data type. integer has 32 bits, long 64; decimal needs precision and scale. What each takes: docs/reference/types.md.',
}

const FORMAT_TEXT =
  'date, timestamp: iso; a count since 1970 (epoch_s, epoch_ms, epoch_us, epoch_ns); or letters: yyyy, MM M MMM (Jan) MMMM (January), ' +
  'dd d, EEE (Mon) EEEE (Monday), HH H, hh h with a (AM, PM), mm m, ss s, S (a digit of the fraction each), X XX XXX (offset), ' +
  "Z (offset or GMT). Other letters in single quotes: 'T'. Default iso."

const COLUMN_PROPERTIES = {
  name: text('Name in the tables.', { pattern: '^[A-Za-z_][A-Za-z0-9_]*$', maxLength: 128 }),
  path: text(
    'Where the value is: author/name, @id, /library/@source (outside of the record); JSON: author.name, ["service.name"] for a key with a point, $.source (outside of the record). Grammar: docs/reference/paths.md.',
  ),
  type: TYPE,
  precision: { type: 'integer', minimum: 1, maximum: 38, description: 'decimal: digits in all.' },
  scale: { type: 'integer', minimum: 0, maximum: 38, description: 'decimal: digits behind the point.' },
  format: text(FORMAT_TEXT),
  timezone: text('timestamp without offset in its text: the IANA zone it is meant in. Required then.'),
  required: {
    type: 'boolean',
    description: 'A record without a value, or with a null item in an array, is quarantined. Default false.',
  },
  values: list('string: the only values allowed (enum), as they stand after cleaning.'),
  pattern: text('string, uuid, integer, long, decimal: regular expression that the whole text must match.', {
    maxLength: LIMITS.patternChars,
  }),
  min_length: { type: 'integer', minimum: 0, description: 'Least number of characters.' },
  max_length: { type: 'integer', minimum: 1, description: 'Greatest number of characters.' },
  trim: { type: 'boolean', description: 'Cut white space at both ends. Default true.' },
  collapse: { type: 'boolean', description: 'Make one blank of each run of white space. Default false.' },
  case: { enum: ['keep', 'lower', 'upper'], description: 'Change the case. Default keep.' },
  nulls: list('Texts that mean null. Default: the empty text.'),
  array: { type: 'boolean', description: 'The element may repeat; the column is an array. Default false.' },
  description: text('For people and catalogues.'),
}

const COLUMN = object(
  'One column.',
  {
    ...COLUMN_PROPERTIES,
    fields: {
      ...list(
        'Array of objects: the sub-fields of each item, with the settings of a column.',
        object('A sub-field.', COLUMN_PROPERTIES, ['name']),
      ),
      maxItems: LIMITS.declaredColumns,
    },
  },
  ['name'],
)

const column = text('Column the rule looks at.')
const bound = {
  type: ['number', 'string'],
  description: "Inclusive bound, of the column's type; dates and times as ISO.",
}
const severity = { enum: ['warn', 'quarantine'], description: 'Default quarantine.' }

const RULES = {
  expect_column_values_to_not_be_null: object('No nulls.', { column, severity }, ['column']),
  expect_column_values_to_be_between: object(
    'Within bounds.',
    { column, min_value: bound, max_value: bound, severity },
    ['column'],
  ),
  expect_column_values_to_be_in_set: object(
    'One of a set.',
    { column, value_set: list('The set.', {}), severity },
    ['column', 'value_set'],
  ),
  expect_column_values_to_match_regex: object(
    'Matches.',
    { column, regex: text('The pattern.', { maxLength: LIMITS.patternChars }), severity },
    ['column', 'regex'],
  ),
  expect_column_value_lengths_to_be_between: object(
    'Length in characters.',
    { column, min_value: bound, max_value: bound, severity },
    ['column'],
  ),
}

const KAFKA = object(
  'A Kafka topic.',
  {
    brokers: list('host:port of one or more brokers.', { type: 'string', pattern: '^[^:]+:[0-9]+$' }),
    topic: text('Topic name.'),
    start: { enum: ['earliest', 'latest'], description: 'Where a first start begins. Default earliest.' },
    tls: object('TLS to the broker.', {
      ca: text('File with the CA certificate.'),
      verify: { type: 'boolean', description: 'Default true.' },
    }),
    sasl: object(
      'Login.',
      {
        mechanism: { enum: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], description: 'SASL mechanism.' },
        username: text('User name.'),
        password_file: text('File that holds the password (mode 600).'),
      },
      ['mechanism', 'username', 'password_file'],
    ),
  },
  ['brokers', 'topic'],
)

const PARTITION = object(
  'A partition of the Processed table.',
  {
    column: text('A declared column, or message_time.'),
    transform: { enum: ['identity', 'year', 'month', 'day'], description: 'Default identity.' },
    timezone: text('Zone in which a timestamp is cut. Default UTC.'),
  },
  ['column'],
)

export const DATASET_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://headrace.dev/schemas/dataset.json',
  title: 'Headrace dataset',
  ...object(
    'Source, shape, checks and zones of one dataset.',
    {
      dataset: text('Name; also the folder of its tables.', { pattern: '^[a-z][a-z0-9_]{0,62}$' }),
      description: text('For people and catalogues.'),
      source: {
        ...object('Exactly one source.', {
          kafka: KAFKA,
          files: object(
            'A watched folder.',
            {
              path: text('Folder, relative to the declaration.'),
              pattern: text(
                'Files to take, with *, ? and {a,b}. Default: the format as ending, *.csv for example, also with .gz or .zst behind it.',
              ),
            },
            ['path'],
          ),
        }),
        minProperties: 1,
        maxProperties: 1,
      },
      record: object(
        'What one record is.',
        {
          format: {
            enum: ['xml', 'json', 'ndjson', 'csv'],
            description:
              'Format of messages and files. ndjson: a record a line; csv: columns by the names of the header. avro, protobuf and schema registries are not supported yet.',
          },
          path: text(
            'XML: /library/book. JSON: $ (the message), $.books[*] (each item). Not for ndjson and csv.',
          ),
          encoding: text(
            'Encoding of documents that do not say it themselves by a byte order mark: windows-1252, iso-8859-15, shift_jis, utf-16le. Default: that of the XML declaration, UTF-16 where it shows, else UTF-8.',
          ),
          delimiter: text(
            'csv: one character between fields, any but letters, digits and line ends. Default a comma.',
          ),
          quote: text('csv: one character around fields that hold a delimiter; empty for none. Default ".'),
          header: {
            type: 'boolean',
            description:
              'csv: whether the first line has the names; without, paths of columns are positions from 1. Default true.',
          },
          namespaces: {
            type: 'object',
            description: 'XML prefix to URI, for prefixes used in paths (docs/reference/paths.md).',
            additionalProperties: { type: 'string' },
          },
          ignore: list('Paths below the record that are left out without a word; * for all unknown ones.'),
        },
        ['format'],
      ),
      message_id: object(
        'Identity of a message, for duplicates of the producer.',
        {
          from: { enum: ['key', 'header', 'none'], description: 'Default key.' },
          header: text('Name of the header.'),
        },
        ['from'],
      ),
      columns: { ...list('Columns in order.', COLUMN), minItems: 1, maxItems: LIMITS.declaredColumns },
      rules: {
        ...list('Checks of single records beyond types.', {
          type: 'object',
          properties: RULES,
          additionalProperties: false,
          minProperties: 1,
          maxProperties: 1,
        }),
        maxItems: LIMITS.declaredRules,
      },
      drift: {
        enum: ['evolve', 'freeze', 'discard_row', 'discard_value'],
        description: 'What an unknown field, a repeated one or a wrong type leads to. Default freeze.',
      },
      dedup: object('Duplicates of the producer.', {
        window: {
          type: 'integer',
          minimum: 0,
          maximum: 10_000_000,
          description: `Newest messages per Kafka partition that are remembered. Default ${LIMITS.dedupWindowMessages}.`,
        },
      }),
      stream: object('How the stream job works.', {
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
      }),
      raw: object('The RAW zone.', {
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
      }),
      processed: object(
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
      ),
      engine: {
        enum: ['duckdb', 'spark'],
        description:
          "What makes the files: DuckDB in the job's own process, or Spark. A dataset may change it between two batches; --engine overrides it for a run. Default duckdb.",
      },
      spark: object('Where Spark runs, for engine: spark.', {
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
      }),
      upkeep: object('Small files, old days and dead files of both zones: headrace upkeep.', {
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
          description:
            'How long files that were replaced stay for running readers and older versions. Default 24.',
        },
      }),
    },
    ['dataset', 'source', 'record', 'columns'],
  ),
} as const
