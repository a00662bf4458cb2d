/** `columns`: names, paths, types and cleaning of columns. */
import { LIMITS } from '../../core/limits.ts'
import { list, object, text } from './nodes.ts'

const TYPE = {
  enum: ['string', 'uuid', 'integer', 'long', 'double', 'decimal', 'boolean', 'date', 'timestamp'],
  description:
    'Data type. integer has 32 bits, long has 64; decimal needs precision and scale. Accepted values: docs/reference/types.md. Default string.',
}

const FORMAT_TEXT =
  'For date and timestamp: iso; a count since 1970 (epoch_s, epoch_ms, epoch_us, epoch_ns); or a pattern of yyyy, MM M MMM (Jan) MMMM (January), ' +
  'dd d, EEE (Mon) EEEE (Monday), HH H, hh h with a (AM, PM), mm m, ss s, S (one digit of the fraction each), X XX XXX (offset), ' +
  "Z (offset or GMT). Put other letters in single quotes: 'T'. Default iso."

const COLUMN_PROPERTIES = {
  name: text('Name of the column in the tables.', { pattern: '^[A-Za-z_][A-Za-z0-9_]*$', maxLength: 128 }),
  path: text(
    'Path of the value. XML: author/name, @id, /library/@source (outside the record). JSON: author.name, ["service.name"] for a key with a dot, $.source (outside the record). Grammar: docs/reference/paths.md. Default: the name.',
  ),
  type: TYPE,
  precision: {
    type: 'integer',
    minimum: 1,
    maximum: 38,
    description: 'For decimal: total number of digits.',
  },
  scale: {
    type: 'integer',
    minimum: 0,
    maximum: 38,
    description: 'For decimal: digits after the decimal point.',
  },
  format: text(FORMAT_TEXT),
  timezone: text('IANA time zone of timestamps whose text has no offset. Required for these.'),
  required: {
    type: 'boolean',
    description: 'Quarantine records without a value, or with a null item in an array. Default false.',
  },
  values: list('For string: the allowed values (enum), as they are after trim, collapse and case.'),
  pattern: text(
    'For string, uuid, integer, long and decimal: regular expression that the whole text must match.',
    {
      maxLength: LIMITS.patternChars,
    },
  ),
  min_length: { type: 'integer', minimum: 0, description: 'Minimum number of characters.' },
  max_length: { type: 'integer', minimum: 1, description: 'Maximum number of characters.' },
  trim: { type: 'boolean', description: 'Remove white space at both ends. Default true.' },
  collapse: { type: 'boolean', description: 'Replace each run of white space by one blank. Default false.' },
  case: { enum: ['keep', 'lower', 'upper'], description: 'Change the case. Default keep.' },
  nulls: list('Texts that mean null. Default: the empty text.'),
  array: { type: 'boolean', description: 'The value may repeat; the column is an array. Default false.' },
  description: text('Description for people and catalogs.'),
}

export const COLUMN = object(
  'One column.',
  {
    ...COLUMN_PROPERTIES,
    fields: {
      ...list(
        'For an array of objects: the sub-fields of each item. They take the settings of a column.',
        object('A sub-field.', COLUMN_PROPERTIES, ['name']),
      ),
      maxItems: LIMITS.declaredColumns,
    },
  },
  ['name'],
)
