/**
 * Every error a user can meet, in one table: what it is called, whose fault it is, the HTTP status an API
 * answers, what it says (with the numbers) and what to do next. `docs/reference/errors.md` is generated from
 * this table and a test proves that they agree. Nothing else in the project may construct an Error
 * (scripts/tidy.ts).
 */

import { row, type ErrorClass, type ErrorRow } from './error-row.ts'
import { SERVICE_ERRORS } from './service-errors.ts'

/** The table. `{name}` is replaced by the parameter of that name. */
export const ERRORS = {
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
  path_not_found: row(
    'configuration',
    404,
    '{path} does not exist.',
    'Check the path; it is taken relative to {base}.',
  ),
  permission_denied: row(
    'configuration',
    403,
    'No permission to {action} {path}.',
    'Give the user that runs headrace ({user}) this right, or set HEADRACE_HOME to a folder it may write.',
  ),
  storage_full: row(
    'transient',
    507,
    'No space left while writing {path}.',
    'Free space on that disk. Nothing was lost: the job goes on from its last commit by itself when space is back.',
  ),
  storage_failed: row(
    'transient',
    500,
    'The storage refused {action} on {path}: {reason}.',
    'Look at the disk (dmesg, smartctl). The batch was not committed and is written again under new names.',
  ),
  table_not_found: row(
    'configuration',
    404,
    'There is no table at {path}.',
    'Run headrace tables list to see the tables, or headrace stream DATASET to create this one.',
  ),
  table_gone: row(
    'conflict',
    409,
    'The table at {path} existed when this job started and is gone or was replaced.',
    'Restore the folder from a backup, or start the job again to begin a new table; the source is read from {start}.',
  ),
  table_corrupt: row(
    'data',
    500,
    'The log of {path} cannot be read at version {version}: {reason}.',
    'Run headrace tables verify {path}; restore the named file from a backup. Nothing is written until it can be read.',
  ),
  table_unsupported: row(
    'configuration',
    422,
    '{path} needs a Delta feature that is not supported here: {feature}.',
    'Write it with a Delta protocol of reader 1 and writer 2, or read it with Spark.',
  ),
  append_only: row(
    'configuration',
    409,
    'Rows of {path} may not be removed or replaced: its table property delta.appendOnly is true.',
    'Set delta.appendOnly to false with the engine that set it, and try again. Nothing was changed.',
  ),
  version_not_found: row(
    'configuration',
    404,
    'Version {version} of {path} is not available; versions {first} to {last} are.',
    'Choose one of these: headrace tables versions {path}',
  ),
  marks_moved: row(
    'conflict',
    409,
    'Another writer moved {mark} of {path} to {found}; this batch started at {expected}.',
    'Nothing was committed and nothing is lost. Stop one of the two writers; the other carries on.',
  ),
  writer_overtaken: row(
    'conflict',
    409,
    'While this process slept at version {version} of {path}, others went on to version {newest} and cleaned up the log between.',
    'Nothing of this step was committed and nothing is lost. Start it again: it continues from what the table says.',
  ),
  commit_conflict: row(
    'transient',
    409,
    'Version {version} of {path} could not be written after {attempts} attempts, because other writers were quicker.',
    'Try again; if it happens often, fewer writers per table or a longer commit interval help.',
  ),
  broker_unreachable: row(
    'transient',
    503,
    'No Kafka broker answers at {brokers}: {reason}.',
    'Check the address and that the broker runs. Reading starts again by itself as soon as it answers.',
  ),
  store_unreachable: row(
    'transient',
    503,
    'The storage at {store} does not answer: {reason}.',
    'Check the address (AWS_ENDPOINT_URL, HEADRACE_WEBHDFS) and that it runs. Nothing was committed; the same run again goes on from the last commit.',
  ),
  store_auth_failed: row(
    'configuration',
    403,
    'The storage at {store} refused to {action} {path}: {reason}.',
    'Check the login: AWS_PROFILE or AWS_ACCESS_KEY_ID and its secret for S3, HADOOP_USER_NAME for HDFS, and what this user may do there.',
  ),
  store_not_found: row(
    'configuration',
    404,
    'There is no {store}: {reason}.',
    'Create it, or correct the path in the declaration.',
  ),
  original_missing: row(
    'configuration',
    409,
    'RAW of {dataset} has not kept the messages of {missing} of {rows} rows, ingested {first} to {last}: they cannot be decoded again.',
    'Choose days whose messages were kept with --from and --to; set raw.keep_original: true in the declaration for those to come.',
  ),
  partitions_held: row(
    'conflict',
    409,
    'Table partitions of {dataset} are held: {partitions}.',
    'Release them first with headrace batch {dataset} --release PARTITION, so that all of RAW that is read is published.',
  ),
  spark_unreachable: row(
    'transient',
    503,
    'No Spark Connect server answers at {address}: {reason}.',
    'Check the address and that the server runs. Nothing was committed; the same run again goes on from the last commit.',
  ),
  spark_auth_failed: row(
    'configuration',
    401,
    'The Spark Connect server at {address} refused the login: {reason}.',
    'Check the file that spark.token_file names; the server has the token in SPARK_CONNECT_AUTHENTICATE_TOKEN.',
  ),
  spark_session_lost: row(
    'transient',
    503,
    'The Spark Connect server at {address} no longer knows this session ({reason}): it was restarted, or the session expired.',
    'Nothing was committed; run the same again, a new session is opened.',
  ),
  spark_executor_lost: row(
    'transient',
    503,
    'Spark could not {action}, because executors were lost: {reason}.',
    'Nothing was committed; run the same again. If it happens often, give executors more memory or take fewer cores each.',
  ),
  spark_interrupted: row(
    'transient',
    499,
    'Spark was told to stop before it could {action}.',
    'Nothing was committed; run the same again.',
  ),
  spark_task_missing: row(
    'configuration',
    424,
    'A Spark executor cannot run our task: {reason}.',
    'Install Node 24 and headrace where executors run, and set spark.task_command to the command that runs headrace-task there.',
  ),
  decoder_crashed: row(
    'transient',
    500,
    'A decoder ended without a word: {reason}.',
    'The range is read again in smaller pieces until the message is found; it is then quarantined.',
  ),
  spark_failed: row(
    'bug',
    500,
    'Spark could not {action}: {reason}.',
    "Look at the Spark server's log for the stack trace. Nothing was committed.",
  ),
  broker_auth_failed: row(
    'configuration',
    401,
    'The Kafka broker at {brokers} refused the login: {reason}.',
    'Check kafka.sasl (mechanism, username, the secret file) and kafka.tls in the declaration.',
  ),
  topic_not_found: row(
    'configuration',
    404,
    'The broker at {brokers} has no topic {topic}. Similar: {similar}.',
    'Correct kafka.topic in the declaration, or create the topic.',
  ),
  topic_recreated: row(
    'conflict',
    409,
    'Topic {topic} was deleted and created again: the table holds offsets of {expected}, the broker now has {found}.',
    'Nothing of the new topic was read. To start it from its beginning beside the old rows: headrace offsets set {dataset} --new-topic',
  ),
  offsets_expired: row(
    'conflict',
    410,
    'Kafka partition {partition} of {topic} starts at {first} now; offsets {next} to {last} were deleted before they were read ({count} messages).',
    'They cannot be read any more. To accept the loss and go on: headrace offsets set {dataset} --partition {partition} --to-offset {first}',
  ),
  offset_ahead: row(
    'conflict',
    409,
    'The table has read Kafka partition {partition} of {topic} up to {next}, but the broker ends at {end}.',
    'The broker lost messages or is another one. Check kafka.brokers; to accept: headrace offsets set {dataset} --partition {partition} --to-offset {end}',
  ),
  record_batch_corrupt: row(
    'data',
    502,
    'A record batch of {topic} partition {partition} at offset {offset} fails its CRC-32C check, or its length or its offset is none.',
    'The batch was fetched several times and is damaged on the broker. Restore it from a replica; to go on behind it: headrace offsets set DATASET --partition {partition} --to-offset OFFSET',
  ),
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
  ...SERVICE_ERRORS,
} as const satisfies Record<string, ErrorRow>

export type ErrorCode = keyof typeof ERRORS

/** The only error class: carries its row of the table and the parameters it was made with. */
export class HeadraceError extends Error {
  readonly code: ErrorCode
  readonly params: Record<string, unknown>
  readonly next: string

  constructor(code: ErrorCode, params: Record<string, unknown>, cause?: unknown) {
    super(fill(ERRORS[code].message, params), { cause })
    this.name = 'HeadraceError'
    this.code = code
    this.params = params
    this.next = fill(ERRORS[code].next, params)
  }

  get errorClass(): ErrorClass {
    return ERRORS[this.code].class
  }
}

/** Makes an error of the table: `throw failure('topic_not_found', { topic, brokers, similar })`. */
export function failure(
  code: ErrorCode,
  params: Record<string, unknown> = {},
  cause?: unknown,
): HeadraceError {
  return new HeadraceError(code, params, cause)
}

/** The text of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The table's error for a failure of the operating system, with the path it happened on. */
export function storageFailure(error: unknown, action: string, path: string): HeadraceError {
  if (error instanceof HeadraceError) return error
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOSPC' || code === 'EDQUOT') return failure('storage_full', { path }, error)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return failure('permission_denied', { action, path, user: process.env.USER ?? 'this user' }, error)
  if (code === 'ENOENT') return failure('path_not_found', { path, base: 'the current folder' }, error)
  return failure('storage_failed', { action, path, reason: reasonOf(error) }, error)
}

function fill(template: string, params: Record<string, unknown>): string {
  return template.replace(/\{(\w+)\}/g, (_, name: string) => String(params[name] ?? `{${name}}`))
}
