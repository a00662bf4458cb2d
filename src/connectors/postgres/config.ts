/** Which table of which PostgreSQL is read, and how. */
import type { TlsConfig } from '../database-tls.ts'
import type { Unrepresentable } from '../table-source.ts'

export interface PostgresConfig extends TlsConfig {
  port?: number
  database: string
  /** `orders`, `public.orders`, `"Odd.Name"`. */
  table: string
  /** Only these columns. */
  columns?: string[]
  /** A column that only grows: reads take what came since the last. */
  cursor?: string
  /** What becomes of a value that no file can hold. */
  unrepresentable?: Unrepresentable
  /** About so many bytes of the table are read at a time. */
  part_bytes?: number
}
