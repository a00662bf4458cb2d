/** Errors of jobs at work: processes, memory, gates, engines and counts. */
import { row, type ErrorRow } from '../error-row.ts'

export const WORK_ERRORS = {
  not_supported: row('configuration', 501, '{feature} is not supported yet.', '{instead}'),
  port_in_use: row(
    'configuration',
    409,
    'Port {port} is in use by another process.',
    'Stop that process or choose another port with {option}.',
  ),
  job_running: row(
    'conflict',
    409,
    'Another process (pid {pid} since {since}) already runs {job}.',
    'Stop it first, or let it work. If that process is dead, the lock is taken over by itself.',
  ),
  child_failed: row(
    'transient',
    500,
    '{job} made no progress at {position}: its child process ended {count} times in a row without a commit. The last reason: {reason}.',
    'Nothing is lost, and the next start reads from the same position. Remove the reason; if it is out of memory, give the machine more or declare fewer columns.',
  ),
  memory_exceeded: row(
    'transient',
    500,
    'The work needed more than the {limit} it was given: {reason}.',
    'Give it more with --memory, or lower the batch size.',
  ),
  gate_failed: row(
    'data',
    422,
    'Table partition {partition} of {dataset} is held: {reason}.',
    'Look at the rows with headrace quarantine list {dataset}; it is published by the next batch once its gate passes.',
  ),
  reconcile_failed: row(
    'bug',
    500,
    'The counts of {what} do not add up: {left} against {right}.',
    'Nothing was committed. Please report this with the lines above.',
  ),
  file_changed: row(
    'data',
    409,
    '{path} changed while it was read (or was replaced by other content).',
    'Write files under another name and rename them when they are complete. The file is read again from its beginning.',
  ),
  query_failed: row(
    'data',
    400,
    'The query failed: {reason}',
    'Correct the SQL; headrace tables show TABLE lists the columns.',
  ),
  engine_failed: row(
    'transient',
    500,
    'DuckDB could not {action}: {reason}',
    'The batch was not committed; it is tried again with a fresh engine.',
  ),
  rows_refused: row(
    'data',
    422,
    'DuckDB does not write {count} record(s) of a batch: {reason}',
    'These records go to quarantine (rule engine_refused); everything around them is written again without them.',
  ),
  drift_stuck: row(
    'data',
    409,
    '{job} found fields that are not declared ({paths}), and adding columns for them changed nothing.',
    'Name these fields under record.ignore, declare them, or set drift: discard_value; then start the stream again.',
  ),
  missing_part: row(
    'configuration',
    424,
    '{part} is needed for {purpose} and is not on this machine: {reason}.',
    '{instead}',
  ),
  internal: row(
    'bug',
    500,
    '{reason}',
    'This is a mistake in headrace. Please report it with the lines above.',
  ),
} as const satisfies Record<string, ErrorRow>
