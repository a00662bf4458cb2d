/** What another engine needs to read one of our tables: only its location. */
import { typeText, type DeltaType, type TableColumn } from '../core/table-schema.ts'

export interface Registered {
  name: string
  /** Its address for Hadoop's file systems: `file:///...`, `s3a://...`, `hdfs://...`. */
  address: string
  columns: TableColumn[]
  partitions: string[]
}

export function registerText(
  kind: 'trino' | 'hive' | 'glue' | 'spark' | 'duckdb',
  { name, address, columns, partitions }: Registered,
): string {
  // Hadoop has its own scheme for S3; all others use Amazon's.
  const place = address.replace(/^s3a:/, 's3:').replaceAll("'", "''")
  switch (kind) {
    case 'trino':
      return `-- Trino, with a catalog of the delta_lake connector:\nCALL delta.system.register_table(schema_name => 'default', table_name => '${name}', table_location => '${place}');`
    case 'hive':
      return `-- Hive with the Delta connector (io.delta:delta-hive) on its class path:\nCREATE EXTERNAL TABLE ${name} (\n${columns.map((column) => `  \`${column.name}\` ${hiveType(column.type)}`).join(',\n')}\n)\nSTORED BY 'io.delta.hive.DeltaStorageHandler'\nLOCATION '${address.replaceAll("'", "\\'")}';`
    case 'glue': {
      const of = (wanted: (column: TableColumn) => boolean): object[] =>
        columns.filter(wanted).map((column) => ({ Name: column.name, Type: hiveType(column.type) }))
      const inPath = (column: TableColumn): boolean => partitions.includes(column.name)
      return JSON.stringify(
        {
          Name: name,
          TableType: 'EXTERNAL_TABLE',
          Parameters: { classification: 'delta', 'spark.sql.sources.provider': 'delta' },
          StorageDescriptor: {
            Location: address.replace(/^s3a:/, 's3:'),
            Columns: of((column) => !inPath(column)),
          },
          PartitionKeys: of(inPath),
        },
        undefined,
        2,
      )
    }
    case 'spark':
      return `-- Spark SQL with io.delta:delta-spark:\nCREATE TABLE ${name} USING delta LOCATION '${address.replaceAll("'", "\\'")}';`
    case 'duckdb':
      return `-- DuckDB with the delta extension:\nSELECT * FROM delta_scan('${place}');`
  }
}

const hiveType = (type: DeltaType): string =>
  typeText(type)
    .replaceAll(/\binteger\b/g, 'int')
    .replaceAll(/\blong\b/g, 'bigint')
    .replaceAll(', ', ',')
    .replaceAll(': ', ':')
