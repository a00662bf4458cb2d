/** `rules`: checks of single records beyond types, under the names that Great Expectations gave them. */
import { LIMITS } from '../../core/limits.ts'
import { list, object, text } from './nodes.ts'

const column = text('Column the rule looks at.')
const bound = {
  type: ['number', 'string'],
  description: "Inclusive bound, of the column's type; dates and times as ISO.",
}
const severity = { enum: ['warn', 'quarantine'], description: 'Default quarantine.' }

export const RULES = {
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
