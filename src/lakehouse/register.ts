/** What other engines must be told to read a table of ours: nothing but its place. */
import { typeText, type TableColumn } from '../core/table-schema.ts'

export function registerText(kind: 'trino' | 'hive' | 'glue' | 'spark' | 'duckdb', table: string, path: string, columns: TableColumn[], partitions: string[]): string {
  switch (kind) {
    case 'trino':
      return `-- Trino, with a catalog of the delta_lake connector:\nCALL delta.system.register_table(schema_name => 'default', table_name => '${table}', table_location => 'file://${path}');`
    case 'hive':
      return `-- Hive with the Delta connector (io.delta:delta-hive) on its class path:\nCREATE EXTERNAL TABLE ${table} (\n${ddl(columns)}\n)\nSTORED BY 'io.delta.hive.DeltaStorageHandler'\nLOCATION 'file://${path}';`
    case 'glue':
      return JSON.stringify({ Name: table, TableType: 'EXTERNAL_TABLE', Parameters: { classification: 'delta', 'spark.sql.sources.provider': 'delta' }, StorageDescriptor: { Location: `file://${path}`, Columns: columns.filter((column) => !partitions.includes(column.name)).map((column) => ({ Name: column.name, Type: typeText(column.type) })) }, PartitionKeys: partitions.map((name) => ({ Name: name, Type: typeText((columns.find((column) => column.name === name) as TableColumn).type) })) }, undefined, 2)
    case 'spark':
      return `-- Spark SQL with io.delta:delta-spark:\nCREATE TABLE ${table} USING delta LOCATION 'file://${path}';`
    case 'duckdb':
      return `-- DuckDB with the delta extension:\nSELECT * FROM delta_scan('file://${path}');`
  }
}

function ddl(columns: TableColumn[]): string {
  return columns.map((column) => `  ${column.name} ${typeText(column.type).replace('integer', 'int').replace('long', 'bigint')}`).join(',\n')
}
