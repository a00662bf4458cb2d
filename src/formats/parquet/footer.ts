/**
 * Builds the footer of a Parquet file that consists of the row groups of several files, one after the other:
 * joining files costs a copy instead of a second encoding (measured at two thirds of the time of the first).
 * Field numbers: parquet.thrift of apache/parquet-format.
 */
import {
  BINARY,
  I64,
  LIST,
  readStruct,
  STRUCT,
  writeStruct,
  type ThriftList,
  type ThriftStruct,
} from './thrift.ts'

const FILE = { schema: 2, rows: 3, rowGroups: 4, keyValues: 5 }
const KEY_VALUE = { key: 1, value: 2 }
const GROUP = { columns: 1, fileOffset: 5, ordinal: 7 }
const CHUNK = { fileOffset: 2, metadata: 3, offsetIndex: 4, columnIndex: 6 }
const COLUMN = { dataPage: 9, indexPage: 10, dictionaryPage: 11, bloomFilter: 14 }

const KEY = Buffer.from('headrace')

export const MAGIC = 'PAR1'
/** The length of the footer and the magic after it. */
export const TAIL_BYTES = 8

export interface FooterJoin {
  /**
   * `movedBy`: how much farther from the beginning the part's bytes lie than in their own file. False if its
   * schema differs.
   */
  add(footer: Uint8Array, movedBy: number): boolean
  finish(): Uint8Array
}

/**
 * Keeps one part's footer as values and the others as bytes: a table of 100 GB has millions of values in its
 * footers.
 */
export function createFooterJoin(): FooterJoin {
  let first: ThriftStruct | undefined
  let rows = 0n
  const groups: Uint8Array[] = []
  const schemaOf = (file: ThriftStruct): Buffer =>
    Buffer.from(writeStruct(new Map([[FILE.schema, file.get(FILE.schema)!]])))
  return {
    add(footer, movedBy) {
      const file = readStruct(footer)
      first ??= file
      if (!schemaOf(file).equals(schemaOf(first))) return false
      rows += file.get(FILE.rows)!.value as bigint
      for (const group of groupsOf(file)) {
        move(group, BigInt(movedBy))
        groups.push(writeStruct(group))
      }
      return true
    },
    finish: () =>
      writeStruct(
        new Map([
          ...first!,
          [FILE.rows, { type: I64, value: rows }],
          [FILE.rowGroups, { ...first!.get(FILE.rowGroups)!, value: { of: STRUCT, items: groups } }],
        ]),
      ),
  }
}

function groupsOf(file: ThriftStruct): ThriftStruct[] {
  return (file.get(FILE.rowGroups)!.value as ThriftList).items as ThriftStruct[]
}

function move(group: ThriftStruct, by: bigint): void {
  shift(group, [GROUP.fileOffset], by)
  // It has only 16 bits, and readers count for themselves.
  group.delete(GROUP.ordinal)
  for (const chunk of (group.get(GROUP.columns)!.value as ThriftList).items as ThriftStruct[]) {
    shift(chunk, [CHUNK.fileOffset, CHUNK.offsetIndex, CHUNK.columnIndex], by)
    shift(
      chunk.get(CHUNK.metadata)!.value as ThriftStruct,
      [COLUMN.dataPage, COLUMN.indexPage, COLUMN.dictionaryPage, COLUMN.bloomFilter],
      by,
    )
  }
}

/** Zero means that the position is not given: the magic is there. */
function shift(struct: ThriftStruct, fields: number[], by: bigint): void {
  for (const id of fields) {
    const field = struct.get(id)
    if (field !== undefined && (field.value as bigint) > 0n) field.value = (field.value as bigint) + by
  }
}

/** The footer with a text under our key, in place of the former one. */
export function withNote(footer: Uint8Array, text: string): Uint8Array {
  const file = readStruct(footer)
  const others = keyValuesOf(file).filter((pair) => !isOurs(pair))
  const ours: ThriftStruct = new Map([
    [KEY_VALUE.key, { type: BINARY, value: KEY }],
    [KEY_VALUE.value, { type: BINARY, value: Buffer.from(text) }],
  ])
  return writeStruct(
    file.set(FILE.keyValues, { type: LIST, value: { of: STRUCT, items: [...others, ours] } }),
  )
}

export function noteOf(footer: Uint8Array): string | undefined {
  const found = keyValuesOf(readStruct(footer)).find(isOurs)
  return found === undefined
    ? undefined
    : Buffer.from(found.get(KEY_VALUE.value)!.value as Uint8Array).toString()
}

function keyValuesOf(file: ThriftStruct): ThriftStruct[] {
  return ((file.get(FILE.keyValues)?.value as ThriftList | undefined)?.items ?? []) as ThriftStruct[]
}

const isOurs = (pair: ThriftStruct): boolean => KEY.equals(pair.get(KEY_VALUE.key)!.value as Uint8Array)
