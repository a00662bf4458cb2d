/** headrace tables: shows and queries open tables. */
import { Option, type Command } from 'commander'
import type { App } from '../operations/app.ts'
import { wholeNumber } from './options.ts'
import { tableText, type Output } from './output.ts'
import { bytesText } from '../core/bytes-text.ts'

export function addTables(program: Command, app: App, output: () => Output): void {
  const tables = program.command('tables').description('list, inspect, query and verify tables')
  addList(tables, app, output)
  addShow(tables, app, output)
  addVersions(tables, app, output)
  addFiles(tables, app, output)
  addQuery(tables, app, output)
  addVerify(tables, app, output)
  addRegister(tables, app, output)
}

function addList(tables: Command, app: App, output: () => Output): void {
  tables
    .command('list')
    .description('list all tables')
    .action(async () => {
      const out = output()
      const found = await app.listTables()
      if (out.format === 'json')
        out.rows(
          found.map(({ name, path, version, files, rows, bytes }) => ({
            name,
            path,
            version,
            files,
            rows,
            bytes,
          })),
        )
      else
        out.rows(
          found.map((table) => ({
            table: table.name,
            version: table.version,
            rows: table.rows,
            files: table.files,
            size: bytesText(table.bytes),
            path: table.path,
          })),
          `No tables in ${app.home} yet. To create one: headrace stream DATASET`,
        )
    })
}

function addShow(tables: Command, app: App, output: () => Output): void {
  tables
    .command('show <table>')
    .description('show columns, size and marks of a table (books/raw, books/processed, or a folder)')
    .option('--version-at <n>', 'show this older version', wholeNumber)
    .action(async (table: string, flags: { versionAt?: number }) => {
      const out = output()
      const info = await app.showTable(table, flags.versionAt)
      if (out.format === 'json') return out.object({ ...info })
      out.text(
        `${info.name} version ${info.version}: ${info.rows.toLocaleString('en-US')} rows in ${info.files} files, ${bytesText(info.bytes)}\n${info.path}\n`,
      )
      out.text(tableText(info.columns))
      out.text(tableText(Object.entries(info.marks).map(([mark, position]) => ({ mark, position }))))
    })
}

function addVersions(tables: Command, app: App, output: () => Output): void {
  tables
    .command('versions <table>')
    .description('list the versions of a table and their changes, newest first')
    .option('--limit <n>', 'number of versions to show', wholeNumber, 20)
    .action(async (table: string, flags: { limit: number }) => {
      const out = output()
      const versions = await app.tableVersions(table, flags.limit)
      out.rows(
        out.format === 'json'
          ? versions.map((version) => ({ ...version }))
          : versions.map(({ details, ...rest }) => ({
              ...rest,
              details: JSON.stringify(details).slice(0, 60),
            })),
      )
    })
}

function addFiles(tables: Command, app: App, output: () => Output): void {
  tables
    .command('files <table>')
    .description('list the data files of a version')
    .option('--version-at <n>', 'show this older version', wholeNumber)
    .action(async (table: string, flags: { versionAt?: number }) =>
      output().rows(await app.tableFiles(table, flags.versionAt)),
    )
}

function addQuery(tables: Command, app: App, output: () => Output): void {
  tables
    .command('query <table> <sql>')
    .description('query a table with SQL (DuckDB); the table is named t')
    .option('--version-at <n>', 'show this older version', wholeNumber)
    .addHelpText(
      'after',
      "\nExample:\n  headrace tables query books 'SELECT publication_year, count(*) FROM t GROUP BY 1 ORDER BY 1'",
    )
    .action(async (table: string, sql: string, flags: { versionAt?: number }) =>
      output().rows(await app.query(table, sql, flags.versionAt)),
    )
}

function addVerify(tables: Command, app: App, output: () => Output): void {
  tables
    .command('verify <table>')
    .description(
      'read the whole table: check files and counts, and compute a hash of the content (in any row order)',
    )
    .action(async (table: string) => {
      const result = await app.verify(table)
      output().object({ ...result })
      if (result.problems.length > 0) process.exitCode = 1
    })
}

function addRegister(tables: Command, app: App, output: () => Output): void {
  tables
    .command('register <table>')
    .description('print the statement with which another engine reads the table')
    .addOption(
      new Option('--engine <name>', 'engine')
        .choices(['trino', 'hive', 'glue', 'spark', 'duckdb'])
        .default('spark'),
    )
    .action(async (table: string, flags: { engine: string }) =>
      output().text(await app.register(table, flags.engine as 'spark')),
    )
}
