/** Errors of the systems that jobs work with: Kafka, stores of files, Spark. */
import { row, type ErrorRow } from '../error-row.ts'

export const SYSTEM_ERRORS = {
  broker_unreachable: row(
    'transient',
    503,
    'No Kafka broker answers at {brokers}: {reason}.',
    'Check the address, and that the broker runs. Reading continues as soon as it answers.',
  ),

  // Stores of files: S3, HDFS.
  store_unreachable: row(
    'transient',
    503,
    'The storage at {store} does not answer: {reason}.',
    'Nothing was committed. Check the address (AWS_ENDPOINT_URL, HEADRACE_WEBHDFS), and that the storage runs. The next run continues from the last commit.',
  ),
  store_auth_failed: row(
    'configuration',
    403,
    'The storage at {store} refused to {action} {path}: {reason}.',
    'Check the login (S3: AWS_PROFILE, or AWS_ACCESS_KEY_ID and its secret; HDFS: HADOOP_USER_NAME) and the permissions of its user.',
  ),
  store_not_found: row(
    'configuration',
    404,
    'There is no {store}: {reason}.',
    'Create it, or fix the path in the declaration.',
  ),

  // For decoding RAW again.
  original_missing: row(
    'configuration',
    409,
    'RAW of {dataset} did not keep the messages of {missing} of {rows} rows, ingested from {first} to {last}. These rows cannot be decoded again.',
    'Use --from and --to to choose days whose messages were kept. To keep messages from now on, set raw.keep_original: true in the declaration.',
  ),
  partitions_held: row(
    'conflict',
    409,
    'Table partitions of {dataset} are held: {partitions}.',
    'Reprocessing needs all rows that the batch has read to be published. Release each partition first: headrace batch {dataset} --release PARTITION',
  ),

  // Spark, and the decoders that run in its tasks.
  spark_unreachable: row(
    'transient',
    503,
    'No Spark Connect server answers at {address}: {reason}.',
    'Nothing was committed. Check the address, and that the server runs. The next run continues from the last commit.',
  ),
  spark_auth_failed: row(
    'configuration',
    401,
    'The Spark Connect server at {address} refused the login: {reason}.',
    'Check the file that spark.token_file names. It must hold the token that the server has in SPARK_CONNECT_AUTHENTICATE_TOKEN.',
  ),
  spark_session_lost: row(
    'transient',
    503,
    'The Spark Connect server at {address} no longer knows this session ({reason}). The server was restarted, or the session expired.',
    'Nothing was committed. Run the command again; it opens a new session.',
  ),
  spark_executor_lost: row(
    'transient',
    503,
    'Spark could not {action} because it lost executors: {reason}.',
    'Nothing was committed. Run the command again. If this happens often, give executors more memory or fewer cores.',
  ),
  spark_interrupted: row(
    'transient',
    499,
    'Spark was interrupted before it could {action}.',
    'Nothing was committed. Run the command again.',
  ),
  spark_task_missing: row(
    'configuration',
    424,
    'A Spark executor cannot run the Headrace task: {reason}.',
    'Install Node 24 and Headrace on the executors, and set spark.task_command to the command that runs headrace-task there.',
  ),
  decoder_crashed: row(
    'transient',
    500,
    'A decoder exited unexpectedly: {reason}.',
    'Headrace reads the range again in smaller pieces until it finds the message, and quarantines that message.',
  ),
  spark_failed: row(
    'bug',
    500,
    'Spark could not {action}: {reason}.',
    'Nothing was committed. The log of the Spark server has the stack trace.',
  ),

  // Kafka.
  broker_auth_failed: row(
    'configuration',
    401,
    'The Kafka broker at {brokers} refused the login: {reason}.',
    'Check source.kafka.sasl (mechanism, username, password_file) and source.kafka.tls in the declaration.',
  ),
  topic_not_found: row(
    'configuration',
    404,
    'The broker at {brokers} has no topic {topic}. Similar: {similar}.',
    'Fix source.kafka.topic in the declaration, or create the topic.',
  ),
  topic_recreated: row(
    'conflict',
    409,
    'The topic {topic} was deleted and created again: the table has offsets of topic ID {expected}, the broker has {found}.',
    'Nothing of the new topic was read. To read it from the beginning and keep the old rows: headrace offsets set {dataset} --new-topic',
  ),
  offsets_expired: row(
    'conflict',
    410,
    'Kafka partition {partition} of {topic} now starts at {first}. Offsets {next} to {last} were deleted before they were read ({count} messages).',
    'These messages are lost. To accept the loss and continue: headrace offsets set {dataset} --partition {partition} --to-offset {first}',
  ),
  offset_ahead: row(
    'conflict',
    409,
    'The table has read Kafka partition {partition} of {topic} up to {next}, but the broker ends at {end}.',
    'The broker lost messages, or it is another broker: check source.kafka.brokers. To continue from its end: headrace offsets set {dataset} --partition {partition} --to-offset {end}',
  ),
  record_batch_corrupt: row(
    'data',
    502,
    'The record batch at offset {offset} of {topic}, Kafka partition {partition}, is corrupt: its CRC-32C checksum, its length or its offset is wrong.',
    'Headrace fetched it several times, so it is damaged on the broker. Restore it from a replica. To skip it: headrace offsets set DATASET --partition {partition} --to-offset OFFSET',
  ),
} as const satisfies Record<string, ErrorRow>
