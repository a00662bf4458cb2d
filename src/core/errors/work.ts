/** Errors of jobs at work: processes, memory, engines and counts. */
import { row, type ErrorRow } from '../error-row.ts'

export const WORK_ERRORS = {
  not_supported: row('configuration', 501, '{feature} is not supported.', '{instead}'),
  port_in_use: row(
    'configuration',
    409,
    'Port {port} is in use by another process.',
    'Stop that process, or choose another port with {option}.',
  ),
  job_running: row(
    'conflict',
    409,
    'Another process (pid {pid} since {since}) already runs {job}.',
    'Stop that process, or let it finish. If it is dead, Headrace takes over its lock.',
  ),
  child_failed: row(
    'transient',
    500,
    '{job} made no progress at {position}: its child process exited {count} times in a row without a commit. Last reason: {reason}.',
    'No data is lost, and the next start reads from the same position. Fix the cause. If memory ran out, give the machine more memory or declare fewer columns.',
  ),
  memory_exceeded: row(
    'transient',
    500,
    'The work needed more than the {limit} it was given: {reason}.',
    'Raise --memory (batch, upkeep) or spark.memory (on Spark). A stream tries again with less data at a time.',
  ),
  reconcile_failed: row(
    'bug',
    500,
    'The counts of {what} do not match: {left} against {right}.',
    'Nothing was committed. This is a bug in Headrace. Report it with the lines above.',
  ),
  file_changed: row(
    'data',
    409,
    '{path} was changed or replaced while Headrace read it.',
    'Headrace reads the file again from the beginning. To avoid this, write files under another name and rename them when they are complete.',
  ),
  query_failed: row(
    'data',
    400,
    'The query failed: {reason}',
    'Fix the SQL. To list the columns: headrace tables show TABLE',
  ),
  engine_failed: row(
    'transient',
    500,
    'DuckDB could not {action}: {reason}',
    'The batch was not committed. Headrace tries it again with a new engine.',
  ),
  rows_refused: row(
    'data',
    422,
    'DuckDB cannot write {count} record(s) of a batch: {reason}',
    'These records go to quarantine (rule engine_refused). Headrace writes the rest of the batch again without them.',
  ),
  drift_stuck: row(
    'data',
    409,
    '{job} found fields that are not declared ({paths}), but adding columns for them had no effect.',
    'Declare these fields, list them in record.ignore, or set drift: discard_value. Then start the stream again.',
  ),
  missing_part: row(
    'configuration',
    424,
    '{part} is needed for {purpose} and is not available: {reason}.',
    '{instead}',
  ),
  internal: row('bug', 500, '{reason}', 'This is a bug in Headrace. Report it with the lines above.'),
} as const satisfies Record<string, ErrorRow>
