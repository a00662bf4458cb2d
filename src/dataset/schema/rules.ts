/** `rules`: checks of single records beyond types, under the names of Great Expectations. */
import { LIMITS } from '../../core/limits.ts'
import { list, object, text } from './nodes.ts'

const column = text('Column to check.')
const bound = {
  type: ['number', 'string'],
  description: 'Inclusive bound, in the type of the column; dates and times in ISO 8601.',
}
const severity = {
  enum: ['warn', 'quarantine'],
  description:
    'quarantine rejects a record that fails; warn accepts it and notes the finding. Default quarantine.',
}

export const RULES = {
  expect_column_values_to_not_be_null: object('The column must not be null.', { column, severity }, [
    'column',
  ]),
  expect_column_values_to_be_between: object(
    'The value must be within bounds.',
    { column, min_value: bound, max_value: bound, severity },
    ['column'],
  ),
  expect_column_values_to_be_in_set: object(
    'The value must be one of a set.',
    { column, value_set: list('The allowed values.', {}), severity },
    ['column', 'value_set'],
  ),
  expect_column_values_to_match_regex: object(
    'The value must match a regular expression.',
    { column, regex: text('The regular expression.', { maxLength: LIMITS.patternChars }), severity },
    ['column', 'regex'],
  ),
  expect_column_value_lengths_to_be_between: object(
    'The length in characters must be within bounds.',
    { column, min_value: bound, max_value: bound, severity },
    ['column'],
  ),
}
