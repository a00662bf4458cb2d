/**
 * Spark with delta-spark as another writer and reader of a table: the commands of `delta_foreign.py`, in SQL.
 */
import type { SparkSession } from '../../src/engines/spark/session.ts'
import type { ForeignAnswer, ForeignWriter } from './delta-foreign.ts'

type Command = (table: string, args: Record<string, never>) => string[]

const text = (value: unknown): string =>
  value === null || value === undefined
    ? 'NULL'
    : `'${String(value).replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
const values = (rows: Record<string, unknown>[], columns: string[]): string =>
  rows.map((row) => `(${columns.map((column) => text(row[column])).join(', ')})`).join(', ')
const COLUMNS = ['id', 'title', 'part']

/** Table properties that raise the protocol beyond what we write. */
const FEATURES: Record<string, Record<string, string>> = {
  DeletionVectors: { 'delta.enableDeletionVectors': 'true' },
  ColumnMapping: { 'delta.columnMapping.mode': 'name' },
  ChangeDataFeed: { 'delta.enableChangeDataFeed': 'true' },
  AppendOnly: { 'delta.feature.appendOnly': 'supported' },
  TimestampWithoutTimezone: { 'delta.feature.timestampNtz': 'supported' },
}

const alter = (table: string, properties: Record<string, string>): string =>
  `ALTER TABLE ${table} SET TBLPROPERTIES (${Object.entries(properties)
    .map(([name, value]) => `${text(name)} = ${text(value)}`)
    .join(', ')})`

const COMMANDS: Record<string, Command> = {
  append: (table, { rows, more }) => {
    const columns = [...COLUMNS, ...((more as string[] | undefined) ?? [])]
    return [`INSERT INTO ${table} (${columns.join(', ')}) VALUES ${values(rows, columns)}`]
  },
  delete: (table, { predicate }) => [`DELETE FROM ${table} WHERE ${predicate}`],
  update: (table, { predicate, title }) => [`UPDATE ${table} SET title = ${title} WHERE ${predicate}`],
  merge: (table, { rows }) => [
    `MERGE INTO ${table} t USING (SELECT * FROM VALUES ${values(rows, COLUMNS)} AS v(${COLUMNS.join(', ')})) s
     ON t.id = s.id
     WHEN MATCHED THEN UPDATE SET title = s.title
     WHEN NOT MATCHED THEN INSERT (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map((column) => `s.${column}`).join(', ')})`,
  ],
  properties: (table, { properties }) => [alter(table, properties)],
  compact: (table) => [`OPTIMIZE ${table}`],
  zorder: (table) => [`OPTIMIZE ${table} ZORDER BY (id)`],
  vacuum: (table) => [`VACUUM ${table} RETAIN 0 HOURS`],
  // A checkpoint with each commit, in parts of two actions, and afterwards as before.
  checkpoint: (table) => [
    'SET spark.databricks.delta.checkpoint.partSize = 2',
    alter(table, { 'delta.checkpointInterval': '1' }),
    alter(table, { 'delta.checkpointInterval': '10' }),
  ],
  feature: (table, { feature }) => [alter(table, FEATURES[feature])],
}

/**
 * A writer whose commands run one after the other; a command that Spark refuses is an answer, as with the
 * other one.
 */
export function sparkWriter(session: SparkSession): ForeignWriter {
  const run = async (op: string, path: string, args: Record<string, unknown>): Promise<ForeignAnswer> => {
    const table = `delta.\`${path.replace(/^s3:/, 's3a:')}\``
    if (op === 'rows') {
      const rows = await session.sql(`SELECT * FROM ${table}`)
      return { ok: { spark: rows.map((row) => [row.id, row.title, row.part, row.by_other ?? null]) } }
    }
    await session.sql('SET spark.databricks.delta.retentionDurationCheck.enabled = false')
    const columns = (args.more as string[] | undefined) ?? []
    if (columns.length > 0) {
      const present = await session.sql(`DESCRIBE ${table}`)
      const missing = columns.filter((column) => !present.some((row) => row.col_name === column))
      if (missing.length > 0)
        await session.sql(
          `ALTER TABLE ${table} ADD COLUMNS (${missing.map((name) => `${name} STRING`).join(', ')})`,
        )
    }
    if (COMMANDS[op] === undefined) return { error: `Spark has no ${op} in SQL` }
    for (const statement of COMMANDS[op](table, args as Record<string, never>)) await session.sql(statement)
    return { ok: {} }
  }
  return {
    name: 'spark',
    do: (op, path, args = {}) =>
      run(op, path, args as Record<string, unknown>).catch((error: Error): ForeignAnswer => ({
        error: error.message,
      })),
    stop: () => void session.close(),
  }
}
