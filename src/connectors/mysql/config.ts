/** Which table of which MySQL or MariaDB is read, and how. */
import type { TlsConfig } from '../database-tls.ts'
import type { Unrepresentable } from '../table-source.ts'

export interface MysqlConfig extends TlsConfig {
  port?: number
  database: string
  table: string
  /** Only these columns. */
  columns?: string[]
  /** A column that only grows: reads take what came since the last. */
  cursor?: string
  /** What makes a row unique; its primary key when not given. */
  key?: string[]
  /**
   * How far back an incremental read looks for rows that committed late: seconds for a time, values for a
   * number.
   */
  overlap?: number
  /** What becomes of a value that no file can hold. */
  unrepresentable?: Unrepresentable
  /** 0000-00-00 as a missing value, whatever becomes of other dates that are none. */
  zero_dates?: 'null'
  /**
   * `one` (usual): all rows as of one moment, by one connection. `per_part`: ranges of a whole-number primary
   * key, each as of its own moment, beside each other and kept when a read breaks. Each row comes once either
   * way.
   */
  snapshot?: 'one' | 'per_part'
  /** With `per_part`: about so many bytes of the table are read at a time. */
  part_bytes?: number
}
