/**
 * The JSON Schema of a dataset declaration (draft 2020-12). One object serves three purposes: editors
 * complete with it (`schemas/dataset.json` is generated from it), `dataset check` validates with it, and the
 * reference page lists it.
 */
import { LIMITS } from '../core/limits.ts'
import { COLUMN } from './schema/columns.ts'
import { ENGINE, SPARK, STREAM, UPKEEP } from './schema/jobs.ts'
import { list, object, text } from './schema/nodes.ts'
import { MESSAGE_ID, RECORD } from './schema/record.ts'
import { RULES } from './schema/rules.ts'
import { SOURCE } from './schema/source.ts'
import { PROCESSED, RAW } from './schema/zones.ts'

export const DATASET_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $id: 'https://headrace.dev/schemas/dataset.json',
  title: 'Headrace dataset',
  ...object(
    'Source, shape, checks and zones of one dataset.',
    {
      dataset: text('Name of the dataset, and of the folder of its tables.', {
        pattern: '^[a-z][a-z0-9_]{0,62}$',
      }),
      description: text('Description for people and catalogs.'),
      source: SOURCE,
      record: RECORD,
      message_id: MESSAGE_ID,
      columns: {
        ...list('Columns of the tables, in order.', COLUMN),
        minItems: 1,
        maxItems: LIMITS.declaredColumns,
      },
      rules: {
        ...list('Checks of each record, beyond types.', {
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
        description:
          'What happens to a record with an unknown field, a repeated field or a value of the wrong type (docs/reference/paths.md). Default freeze.',
      },
      dedup: object('Detection of duplicates that the producer sent.', {
        window: {
          type: 'integer',
          minimum: 0,
          maximum: 10_000_000,
          description: `Number of newest messages per Kafka partition to compare with. Default ${LIMITS.dedupWindowMessages}.`,
        },
      }),
      stream: STREAM,
      raw: RAW,
      processed: PROCESSED,
      engine: ENGINE,
      spark: SPARK,
      upkeep: UPKEEP,
    },
    ['dataset', 'source', 'record', 'columns'],
  ),
} as const
