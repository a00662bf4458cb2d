/** Errors in what a user wrote: the command, the declaration of a dataset and the sample for one. */
import { row, type ErrorRow } from '../error-row.ts'

export const DECLARATION_ERRORS = {
  usage: row('configuration', 400, '{reason}', 'Run the command with --help for its arguments and examples.'),
  dataset_not_found: row(
    'configuration',
    404,
    'There is no dataset declaration at {path}.',
    'Give the path of a YAML file, or the name of one in datasets/ ({known}).',
  ),
  dataset_invalid: row(
    'configuration',
    422,
    '{path} has {count} mistake(s):\n{mistakes}',
    'Correct the lines named above, then run: headrace dataset check {path}',
  ),
  path_unreadable: row(
    'configuration',
    422,
    'The path {path} cannot be read: {reason}.',
    'Correct it in the declaration. A column that drift added keeps its path in the table: the prefixes in it must stay in record.namespaces.',
  ),
  schema_change_refused: row(
    'configuration',
    409,
    'The declaration of {dataset} would {change} in {table}, which tables of published data do not allow.',
    'Keep the column as it is in the table and add a new one beside it, or give the dataset a new name to start new tables.',
  ),
  sample_unusable: row('data', 422, 'No declaration can be drafted from {source}: {reason}.', '{instead}'),
} as const satisfies Record<string, ErrorRow>
