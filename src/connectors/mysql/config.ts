/** Which table of MySQL or MariaDB to read, and how. */
import type { TlsConfig } from '../database-tls.ts'
import type { Unrepresentable } from '../table-source.ts'

export interface MysqlConfig extends TlsConfig {
  port?: number
  database: string
  table: string
  /** Only these columns. */
  columns?: string[]
  /** A column that only grows: each read takes the rows since the last one. */
  cursor?: string
  /** The columns that make a row unique. Default: the primary key. */
  key?: string[]
  /**
   * How far back an incremental read looks for rows that committed late: seconds for a time, values for a
   * number.
   */
  overlap?: number
  /** What happens to a value that no file can hold. */
  unrepresentable?: Unrepresentable
  /** Reads 0000-00-00 as null, whatever happens to other invalid dates. */
  zero_dates?: 'null'
  /**
   * `one` (default): all rows as of one moment, through one connection. `per_part`: ranges of an integer
   * primary key, each as of its own moment, read in parallel and kept if a read breaks. Each row arrives once
   * either way.
   */
  snapshot?: 'one' | 'per_part'
  /** With `per_part`: about this many bytes of the table are read at a time. */
  part_bytes?: number
}
