/** Which table of PostgreSQL to read, and how. */
import type { TlsConfig } from '../database-tls.ts'
import type { Unrepresentable } from '../table-source.ts'

export interface PostgresConfig extends TlsConfig {
  port?: number
  database: string
  /** `orders`, `public.orders`, `"Odd.Name"`. */
  table: string
  /** Only these columns. */
  columns?: string[]
  /** A column that only grows: each read takes the rows since the last one. */
  cursor?: string
  /** What happens to a value that no file can hold. */
  unrepresentable?: Unrepresentable
  /** About this many bytes of the table are read at a time. */
  part_bytes?: number
}
