/**
 * Every limit in one place: nothing in the project grows without one of these. The module checks the
 * relations between limits when it is loaded; otherwise only production would find a contradiction.
 */
import { failure } from './errors.ts'

const KIB = 1024
const MIB = 1024 * KIB

/**
 * Sizes in bytes, times in milliseconds, the rest counts. The first paragraph above a limit is its meaning in
 * docs/reference/limits.md.
 */
export const LIMITS = {
  /** Size of a message, of one record in a file, and of one text in XML. Larger ones are quarantined. */
  recordBytes: 16 * MIB,
  /**
   * How far a quoted field of CSV reaches over line ends. Beyond, its quote counts as stray and costs only
   * its own line.
   */
  quotedFieldBytes: 4 * MIB,
  /** Fields in the header of a CSV file. A file with more is quarantined. */
  csvFields: 65_536,
  /**
   * Decoded values of one block of messages. The rest of the block is decoded after these are written.
   */
  unpackedBlockBytes: 32 * MIB,
  /**
   * How many times its size a compressed file may decompress to. The ratio counts only beyond
   * `recordBytes`.
   *
   * Deflate reaches at most 1,032.
   */
  unpackRatio: 1_000,
  /** Levels of nested elements in XML. */
  xmlDepth: 128,
  /**
   * Attributes of one XML element: as many as a table can have columns, with some room.
   *
   * Some files write a record as the attributes of one tag.
   */
  xmlAttributes: 2_400,
  /** Length of a name in XML. */
  xmlNameBytes: 1024,
  /** Levels of nested objects and arrays in JSON. */
  jsonDepth: 128,
  /** Length of a key in JSON. */
  jsonKeyBytes: 4096,
  /** Unknown and repeated fields of one record. A record with more is quarantined as malformed. */
  recordFindings: 1_000,
  /** Length of a rejected value in quarantine and logs. The original bytes are kept in full. */
  quotedValueBytes: 256,
  /**
   * Size that Headrace aims at for one buffer of decoded input.
   *
   * Large enough to spread the cost of a copy, small enough to stay in cache.
   */
  slabBytes: 2 * MIB,
  /** Bytes that one fetch request asks of a Kafka broker. */
  fetchBytes: 2 * MIB,
  /** Bytes that one fetch request asks of a Kafka partition. */
  fetchPartitionBytes: 1 * MIB,
  /** Decompressed size of one record batch of Kafka. A larger batch is quarantined as one message. */
  batchInflatedBytes: 64 * MIB,
  /** Decompressed record batches in memory, after which Headrace handles them before it reads more. */
  inflatedBytes: 32 * MIB,
  /**
   * How often Headrace fetches a record batch whose checksum fails, before the stream stops with an error.
   */
  corruptBatchAttempts: 5,
  /**
   * Rows in a data file, unless the declaration sets `stream.rows_per_file`.
   *
   * Two Parquet row groups keep staging under 100 MiB.
   */
  rowsPerFile: 2 * 122_880,
  /** Rows in a file that compaction writes, unless the declaration sets `upkeep.rows_per_file`. */
  rowsPerMergedFile: 10_000_000,
  /**
   * Files of one table that one compaction moves from an older layout.
   *
   * Until vacuum comes, storage holds moved files twice.
   */
  movedFiles: 2_000,
  /** Size of the files of one table that one compaction moves from an older layout. */
  movedBytes: 16 * 1024 * MIB,
  /** Rows in memory, in bytes, before a stream writes them to a file. */
  stagedBytes: 96 * MIB,
  /**
   * Newest messages per Kafka partition that deduplication compares with, unless the declaration sets
   * `dedup.window`.
   */
  dedupWindowMessages: 1_000_000,
  /**
   * Memory of all deduplication windows of one child. With many Kafka partitions, each window shrinks and
   * the stream says so.
   */
  dedupWindowBytes: 128 * MIB,
  /** Time between commits, unless the declaration sets `stream.commit_interval_ms`. */
  commitIntervalMs: 2_000,
  /** Shortest time between commits that a declaration can set. */
  commitIntervalMinMs: 250,
  /** A child that sends nothing for this long is replaced. */
  childDeadlineMs: 30_000,
  /** Time between heartbeats of a child. */
  childHeartbeatMs: 3_000,
  /**
   * A careful child, which handles one message per step, is replaced when it sends nothing for this long.
   *
   * A message that never ends costs 30 + 15 + 15 s.
   */
  childStepDeadlineMs: 15_000,
  /**
   * Deaths at one start position after which a child reads less at a time, until one message or record is
   * left.
   */
  childDeathsBeforeCare: 2,
  /**
   * Deaths at one start position, possibly caused by a message, after which the stream stops with an error.
   */
  childDeathsMax: 20,
  /**
   * Restarts during an outage of the storage, the broker or Spark, after which the stream stops with an
   * error.
   *
   * With pauses of 5 s, these are five minutes.
   */
  childOutagesMax: 60,
  /**
   * Messages and records blamed one after the other while none is accepted. Beyond, something else is
   * wrong, and the stream stops.
   */
  accusedInARow: 20,
  /**
   * Records of one batch that the engine refuses and one attempt finds. The next attempt finds the others.
   */
  refusedAtOnce: 1_000,
  /** Requests of drift for columns that the table does not get, after which the stream stops. */
  fruitlessDrifts: 2,
  /** Attempts to commit to a table while other writers commit first. */
  commitAttempts: 60,
  /**
   * Newest log entries of a table that stay for time travel, unless the table sets
   * delta.logRetentionDuration.
   */
  logEntries: 10_000,
  /**
   * Messages in one batch on Spark, unless the declaration sets `spark.batch_messages`.
   *
   * The fixed cost of half a second is a tenth of such a batch.
   */
  sparkBatchMessages: 200_000,
  /** Columns that drift may add to a table. */
  evolvedColumns: 200,
  /** Messages of a topic that `headrace dataset infer` reads. */
  inferSamples: 1_000,
  /** Bytes of a file, decompressed, that `headrace dataset infer` reads. */
  inferSampleBytes: 4 * MIB,
  /** Memory of the engine of a stream. */
  engineMemory: 160 * MIB,
  /** Memory that each column of the table adds to `engineMemory`. */
  engineMemoryPerColumn: 128 * KIB,
  /**
   * A table with more columns is wide. Memory per column, not per row, then limits how much is staged and
   * decoded at a time.
   */
  wideColumns: 32,
  /**
   * Staged bytes of a wide table, per column.
   *
   * DuckDB's first segment of a text column holds so much, the next takes 256 KiB.
   */
  stagedBytesPerColumn: 24 * KIB,
  /**
   * Values (records times columns) that are decoded at a time. The rest is read again in smaller pieces.
   */
  blockCells: 16_777_216,
  /** Values of a wide table that are decoded at a time. */
  blockCellsWide: 4_194_304,
  /**
   * Columns of a declaration, and fields of one array of objects. Drift may add `evolvedColumns` more
   * columns.
   */
  declaredColumns: 2_000,
  /**
   * Size of a declaration.
   *
   * Enough for the most columns with paths, formats and descriptions.
   */
  declarationBytes: 512 * KIB,
  /** Size of source_config and destination_config of a job, as JSON. */
  jobConfigBytes: 640 * KIB,
  /** Levels of nesting in a declaration and in the settings of a job. */
  declarationDepth: 32,
  /** Mistakes of a declaration that `headrace dataset check` shows. */
  mistakesShown: 50,
  /** Length of the message of one mistake. */
  mistakeChars: 500,
  /** Length of a regular expression of a column or a rule. */
  patternChars: 4_096,
  /** Rules of a declaration. */
  declaredRules: 10_000,
} as const

if (LIMITS.childHeartbeatMs * 3 > Math.min(LIMITS.childDeadlineMs, LIMITS.childStepDeadlineMs))
  throw failure('internal', { reason: 'heartbeats must come at least three times per deadline' })
if (LIMITS.quotedFieldBytes > LIMITS.recordBytes)
  throw failure('internal', { reason: 'a quoted field must fit into a record' })
if (LIMITS.slabBytes > LIMITS.stagedBytes)
  throw failure('internal', { reason: 'a slab must fit into staging' })
