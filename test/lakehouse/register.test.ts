/** What other engines are told: the place as they write it, and types as they name them. */
import { expect, test } from 'vitest'
import { registerText } from '../../src/lakehouse/register.ts'

const TABLE = {
  name: 'books_raw',
  columns: [
    { name: 'id', type: 'long' },
    {
      name: 'tags',
      type: {
        type: 'array',
        elementType: {
          type: 'struct',
          fields: [
            { name: 'year', type: 'integer' },
            { name: 'n', type: 'long' },
          ],
        },
      },
    },
    { name: 'day', type: 'date' },
  ],
  partitions: ['day'],
} as unknown as Parameters<typeof registerText>[1]

test.each([
  ['trino', 'file:///t/raw', "table_location => 'file:///t/raw'"],
  ['trino', 's3a://b/raw', "table_location => 's3://b/raw'"],
  ['spark', 's3a://b/raw', "USING delta LOCATION 's3a://b/raw';"],
  ['spark', 'hdfs://n:8020/raw', "LOCATION 'hdfs://n:8020/raw';"],
  ['spark', "file:///it's", "LOCATION 'file:///it\\'s';"],
  ['duckdb', 's3a://b/raw', "delta_scan('s3://b/raw')"],
  ['hive', 's3a://b/raw', '`tags` array<struct<year:int,n:bigint>>'],
] as const)('%s, a table at %s', (kind, address, part) => {
  expect(registerText(kind, { ...TABLE, address })).toContain(part)
})

test('Glue: columns and partition keys apart', () => {
  expect(JSON.parse(registerText('glue', { ...TABLE, address: 's3a://b/raw' }))).toMatchObject({
    StorageDescriptor: {
      Location: 's3://b/raw',
      Columns: [
        { Name: 'id', Type: 'bigint' },
        { Name: 'tags', Type: 'array<struct<year:int,n:bigint>>' },
      ],
    },
    PartitionKeys: [{ Name: 'day', Type: 'date' }],
  })
})
