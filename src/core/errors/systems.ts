/** Errors of the systems that jobs work with: Kafka, stores of files, Spark. */
import { row, type ErrorRow } from '../error-row.ts'

export const SYSTEM_ERRORS = {
  broker_unreachable: row(
    'transient',
    503,
    'No Kafka broker answers at {brokers}: {reason}.',
    'Check the address and that the broker runs. Reading starts again by itself as soon as it answers.',
  ),

  // Stores of files: S3, HDFS.
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

  // What a second decoding of RAW needs.
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

  // Spark, and the decoders that run in its tasks.
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

  // Kafka.
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
} as const satisfies Record<string, ErrorRow>
