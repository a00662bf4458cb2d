/** `columns`: names, paths, types and cleaning of columns. */
import { LIMITS } from '../../core/limits.ts'
import { list, object, text } from './nodes.ts'

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

export const COLUMN = object(
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
