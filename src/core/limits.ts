/**
 * Every bound in one place: nothing in the project grows without one of these. The relations between them
 * are checked when the module is loaded, because a limit that contradicts another is found in production
 * otherwise.
 */
import { failure } from './errors.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** Sizes in bytes, times in milliseconds, the rest counts. */
export const LIMITS = {
  /**
   * One message, one file record, one XML text. A larger one is quarantined (message) or refused by name
   * (file).
   */
  recordBytes: 16 * MIB,
  /**
   * How far a quoted field of CSV reaches over line ends: beyond, its quote is a stray one and costs its own
   * line.
   */
  quotedFieldBytes: 4 * MIB,
  /** Fields of a header of CSV. */
  csvFields: 65_536,
  /**
   * Decoded values of one block of messages; when they have more, the rest of the block is decoded when these
   * are written.
   */
  unpackedBlockBytes: 32 * MIB,
  /**
   * A compressed file may unpack to so many times its size (deflate cannot do more than 1,032), once it is
   * larger than a record.
   */
  unpackRatio: 1_000,
  xmlDepth: 128,
  /**
   * As many as a declaration may have columns, and those that drift may add; some files have a record a tag.
   */
  xmlAttributes: 2_400,
  xmlNameBytes: 1024,
  jsonDepth: 128,
  jsonKeyBytes: 4096,
  /** Unknown and repeated fields of one record: with more it is refused as a whole. */
  recordFindings: 1_000,
  /** Values quoted in quarantine and logs are cut here; the original bytes are kept whole. */
  quotedValueBytes: 256,
  /**
   * What one slab of decoded input aims at: large enough to spread the cost of a copy, small enough to stay
   * in cache.
   */
  slabBytes: 2 * MIB,
  fetchBytes: 2 * MIB,
  fetchPartitionBytes: 1 * MIB,
  /** What a compressed batch of Kafka may inflate to, and what is read at a time of several. */
  batchInflatedBytes: 64 * MIB,
  inflatedBytes: 32 * MIB,
  /** A batch that fails its checksum is fetched so often before the job stops by name. */
  corruptBatchAttempts: 5,
  /** Rows per data file before it is closed: two Parquet row groups, so that staging stays under 100 MiB. */
  rowsPerFile: 2 * 122_880,
  /** Compaction closes a file at so many rows, unless the dataset says fewer. */
  rowsPerMergedFile: 10_000_000,
  /**
   * What one compaction moves to where files lie today, of one table: until vacuum comes it lies there twice.
   */
  movedFiles: 2_000,
  movedBytes: 16 * 1024 * MIB,
  stagedBytes: 96 * MIB,
  dedupWindowMessages: 1_000_000,
  /**
   * All windows of one child together; with more Kafka partitions each window shrinks, and the user is told.
   */
  dedupWindowBytes: 128 * MIB,
  commitIntervalMs: 2_000,
  commitIntervalMinMs: 250,
  /** A child that says nothing for this long is replaced; heartbeats come ten times as often. */
  childDeadlineMs: 30_000,
  childHeartbeatMs: 3_000,
  /**
   * The same for a careful child, whose steps are one message: a message without an end costs 30 + 15 + 15
   * s.
   */
  childStepDeadlineMs: 15_000,
  /**
   * After so many deaths at one start position a child says what it is about, and reads less, until one
   * message or record is left.
   */
  childDeathsBeforeCare: 2,
  /**
   * Deaths at one start position without progress, for which some message may be to blame; then the job
   * stops by name.
   */
  childDeathsMax: 20,
  /**
   * The same for outages that have a name: the storage, the broker, Spark. With pauses of 5 s these are five
   * minutes.
   */
  childOutagesMax: 60,
  /**
   * Messages and records that may be accused one after the other while none is accepted: then something else
   * is wrong.
   */
  accusedInARow: 20,
  /** Records of one batch that are refused at a time; those beyond are found by the next attempt. */
  refusedAtOnce: 1_000,
  /** Times that drift may ask for columns that the table does not get. */
  fruitlessDrifts: 2,
  commitAttempts: 60,
  /**
   * Newest log entries of a table that stay for time travel, unless delta.logRetentionDuration lets them go
   * earlier.
   */
  logEntries: 10_000,
  /** Messages of a batch on Spark: its fixed cost of half a second is a tenth of such a batch. */
  sparkBatchMessages: 200_000,
  evolvedColumns: 200,
  inferSamples: 1_000,
  /** What `dataset infer` reads of a file, unpacked. */
  inferSampleBytes: 4 * MIB,
  /** Memory of a stream's engine, and what each column of the table adds to it. */
  engineMemory: 160 * MIB,
  engineMemoryPerColumn: 128 * KIB,
  /**
   * A table of more columns is wide: what the engine keeps for each column, however few rows, decides then.
   */
  wideColumns: 32,
  /**
   * What is staged of a wide table, by column: DuckDB's first segment of a text column holds so much, the
   * next takes 256 KiB.
   */
  stagedBytesPerColumn: 24 * KIB,
  /**
   * Values (records times columns) that are decoded at a time, and those of a wide table; more is read again
   * in smaller pieces.
   */
  blockCells: 16_777_216,
  blockCellsWide: 4_194_304,
  /** Columns of a declaration; drift may add `evolvedColumns` more. */
  declaredColumns: 2_000,
  /** The text of a declaration: its most columns with paths, formats and descriptions. */
  declarationBytes: 512 * KIB,
  /** source_config and destination_config of a job as JSON. */
  jobConfigBytes: 640 * KIB,
  /** How deep a declaration, and settings of a job, nest. */
  declarationDepth: 32,
  /** Mistakes of a declaration that are shown, and characters of each. */
  mistakesShown: 50,
  mistakeChars: 500,
  /** A regular expression of a column or a rule. */
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
