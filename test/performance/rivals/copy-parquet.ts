/**
 * A bare DuckDB COPY: text (a file, or standard input) with declared columns into Parquet, nothing checked,
 * nothing kept, nothing durable.
 */
import { DuckDBInstance } from '@duckdb/node-api'

const { format, input, output, columns } = JSON.parse(process.argv[2]) as {
  format: 'csv' | 'ndjson'
  input: string
  output: string
  columns: Record<string, string>
}
const instance = await DuckDBInstance.create(':memory:', { threads: '2' })
const connection = await instance.connect()
const shape = `{${Object.entries(columns)
  .map(([name, type]) => `'${name}': '${type}'`)
  .join(', ')}}`
const source =
  format === 'csv'
    ? `read_csv('${input}', auto_detect = false, header = ${input !== '/dev/stdin'}, delim = ',', quote = '"', escape = '"', columns = ${shape})`
    : `read_json('${input}', format = 'newline_delimited', columns = ${shape})`
await connection.run(`COPY (SELECT * FROM ${source}) TO '${output}' (FORMAT parquet, COMPRESSION zstd)`)
const { rows } = await (async () => ({
  rows: Number(
    (
      await (await connection.runAndReadAll(`SELECT count(*) FROM read_parquet('${output}')`)).getRows()
    )[0][0],
  ),
}))()
process.stdout.write(JSON.stringify({ rows }))
process.exit()
