/** Options and result of `headrace serve`. */

export const SERVE_ROLES = ['api', 'scheduler', 'runner'] as const
export type ServeRole = (typeof SERVE_ROLES)[number]

export interface ServeOptions {
  roles: ServeRole[]
  listen: { host: string; port: number }
  /** A PostgreSQL 15 or newer instead of the built-in one. */
  databaseUrl: string | undefined
}

export interface Served {
  /** Undefined without the role `api`. */
  address: string | undefined
  /** Where the built-in PostgreSQL keeps its data. */
  databaseFolder: string | undefined
  /** File with the operator's token. */
  tokenFile: string
  /** Resolves if the service ends on its own, which is a failure. */
  ended: Promise<void>
  stop(): Promise<void>
}
