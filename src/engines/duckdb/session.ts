/**
 * A DuckDB instance in this process, with limited memory and threads, and without access to files and
 * network.
 */
import { DuckDBConnection, DuckDBResult } from '@duckdb/node-api'
import duckdb, { type Connection, type Database } from '@duckdb/node-bindings'
import { mkdir, rm } from 'node:fs/promises'
import { storageFailure } from '../../core/errors.ts'
import { engineError } from './errors.ts'
import { asPattern, literal } from './sql.ts'

export interface SessionOptions {
  memoryBytes: number
  threads: number
  /** Where DuckDB spills when a query exceeds its memory. Created and removed with the session. */
  spillFolder: string
}

export interface DuckSession {
  readonly raw: Connection
  run(sql: string): Promise<void>
  /** All rows, as JSON-safe values (long integers as text). */
  rows(sql: string): Promise<unknown[][]>
  objects(sql: string): Promise<Record<string, unknown>[]>
  /** A second connection to the same instance: its statements run at the same time. */
  connect(): Promise<DuckSession>
  close(): Promise<void>
}

export async function openSession(options: SessionOptions): Promise<DuckSession> {
  await mkdir(options.spillFolder, { recursive: true }).catch((error: unknown) => {
    throw storageFailure(error, 'make', options.spillFolder)
  })
  const database = await duckdb.open(':memory:', configuration(options)).catch((error: unknown) => {
    throw engineError(error, 'start')
  })
  const session = await connect(database)
  await session.run("SET TimeZone = 'UTC'")
  return {
    ...session,
    async close() {
      await session.close()
      duckdb.close_sync(database)
      await rm(options.spillFolder, { recursive: true, force: true })
    },
  }
}

function configuration(options: SessionOptions): duckdb.Config {
  const config = duckdb.create_config()
  duckdb.set_config(config, 'threads', String(options.threads))
  duckdb.set_config(config, 'memory_limit', `${Math.floor(options.memoryBytes / 1024 / 1024)}MiB`)
  duckdb.set_config(config, 'temp_directory', options.spillFolder)
  duckdb.set_config(config, 'autoinstall_known_extensions', 'false')
  duckdb.set_config(config, 'autoload_known_extensions', 'false')
  return config
}

async function connect(database: Database): Promise<DuckSession> {
  const raw = await duckdb.connect(database)
  const connection = new DuckDBConnection(raw)
  const guard = async <T>(sql: string, action: () => Promise<T>): Promise<T> => {
    try {
      return await action()
    } catch (error) {
      throw engineError(error, `run ${sql.slice(0, 120)}`)
    }
  }
  return {
    raw,
    run: (sql) => guard(sql, async () => void (await duckdb.query(raw, sql))),
    rows: (sql) =>
      guard(
        sql,
        async () => (await new DuckDBResult(await duckdb.query(raw, sql)).getRowsJson()) as unknown[][],
      ),
    objects: (sql) =>
      guard(
        sql,
        async () => (await connection.runAndReadAll(sql)).getRowObjectsJson() as Record<string, unknown>[],
      ),
    connect: () => connect(database),
    async close() {
      connection.closeSync()
    },
  }
}

/** Closes the instance for SQL of users: it can read only these folders, and write or change nothing. */
export async function lockDown(session: DuckSession, folders: string[]): Promise<void> {
  const allowed = folders
    .map((folder) => (folder.endsWith('/') ? folder : `${folder}/`))
    // DuckDB tries a path first as a pattern, then as a name.
    .flatMap((folder) => [literal(folder), literal(asPattern(folder))])
  await session.run(`SET allowed_directories = [${allowed.join(', ')}]`)
  await session.run('SET enable_external_access = false')
  await session.run('SET lock_configuration = true')
}
