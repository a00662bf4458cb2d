/** Errors in what a user wrote: the command, the declaration of a dataset and the sample for one. */
import { row, type ErrorRow } from '../error-row.ts'

export const DECLARATION_ERRORS = {
  usage: row(
    'configuration',
    400,
    '{reason}',
    'Run the command with --help to see its arguments and examples.',
  ),
  dataset_not_found: row(
    'configuration',
    404,
    'There is no dataset declaration at {path}.',
    'Give the path of a YAML file, or the name of a declaration in datasets/ ({known}).',
  ),
  dataset_invalid: row(
    'configuration',
    422,
    '{path} has {count} mistake(s):\n{mistakes}',
    'Fix the lines listed above, then run: headrace dataset check {path}',
  ),
  path_unreadable: row(
    'configuration',
    422,
    'The path {path} is not valid: {reason}.',
    'Fix it in the declaration. If drift added the column, its path is stored in the table: keep the prefixes of that path in record.namespaces.',
  ),
  schema_change_refused: row(
    'configuration',
    409,
    'The declaration of {dataset} would {change} in {table}. A table with data does not allow this change.',
    'Keep the column as it is and add a new one, or rename the dataset to start with new tables.',
  ),
  sample_unusable: row('data', 422, 'Cannot draft a declaration from {source}: {reason}.', '{instead}'),
} as const satisfies Record<string, ErrorRow>
