/**
 * Thrift's compact protocol, in both directions, without a schema: unknown parts are kept unchanged.
 * Parquet's footer uses it. Source:
 * https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */

export type ThriftValue = boolean | bigint | Uint8Array | ThriftList | ThriftStruct
/** By field number. */
export type ThriftStruct = Map<number, { type: number; value: ThriftValue }>
export interface ThriftList {
  of: number
  items: ThriftValue[]
}

const TYPE = {
  stop: 0,
  true: 1,
  false: 2,
  byte: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  struct: 12,
} as const
export const { i64: I64, binary: BINARY, list: LIST, struct: STRUCT } = TYPE

interface Input {
  bytes: Uint8Array
  at: number
}

/** Throws a RangeError if the bytes are no struct. Maps, which Parquet does not use, are refused too. */
export function readStruct(bytes: Uint8Array): ThriftStruct {
  return structOf({ bytes, at: 0 })
}

function structOf(input: Input): ThriftStruct {
  const fields: ThriftStruct = new Map()
  for (let id = 0; ;) {
    const head = byteOf(input)
    const type = head & 15
    if (type === TYPE.stop) return fields
    id = head >> 4 === 0 ? Number(signed(varint(input))) : id + (head >> 4)
    fields.set(id, {
      type,
      value: type === TYPE.true || type === TYPE.false ? type === TYPE.true : valueOf(input, type),
    })
  }
}

function valueOf(input: Input, type: number): ThriftValue {
  if (type === TYPE.true || type === TYPE.false) return byteOf(input) === TYPE.true
  if (type === TYPE.byte) return BigInt(byteOf(input))
  if (type === TYPE.i16 || type === TYPE.i32 || type === TYPE.i64) return signed(varint(input))
  if (type === TYPE.double) return take(input, 8)
  if (type === TYPE.binary) return take(input, Number(varint(input)))
  if (type === TYPE.struct) return structOf(input)
  if (type !== TYPE.list && type !== TYPE.set) throw new RangeError(`type ${type} at byte ${input.at}`)
  const head = byteOf(input)
  const size = head >> 4 === 15 ? Number(varint(input)) : head >> 4
  return { of: head & 15, items: Array.from({ length: size }, () => valueOf(input, head & 15)) }
}

function take(input: Input, length: number): Uint8Array {
  if (input.at + length > input.bytes.length)
    throw new RangeError(`the end is missing after byte ${input.at}`)
  input.at += length
  return input.bytes.subarray(input.at - length, input.at)
}

const byteOf = (input: Input): number => take(input, 1)[0]

function varint(input: Input): bigint {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    const byte = byteOf(input)
    value |= BigInt(byte & 127) << shift
    if (byte < 128) return value
  }
}

const signed = (value: bigint): bigint => (value >> 1n) ^ -(value & 1n)

/** In a list, a struct may be given as bytes, which are written unchanged. */
export function writeStruct(struct: ThriftStruct): Uint8Array {
  const out: Output = { bytes: Buffer.alloc(1024), end: 0 }
  putStruct(out, struct)
  return out.bytes.subarray(0, out.end)
}

interface Output {
  bytes: Buffer
  end: number
}

/** The compact protocol stores a boolean in its type. */
function typeOf(value: boolean): number {
  return value ? TYPE.true : TYPE.false
}

function putStruct(out: Output, struct: ThriftStruct): void {
  let last = 0
  for (const [id, { type, value }] of [...struct].toSorted(([a], [b]) => a - b)) {
    const written = typeof value === 'boolean' ? typeOf(value) : type
    if (id - last < 16) put(out, [((id - last) << 4) | written])
    else putVarint(put(out, [written]), BigInt(id) << 1n)
    last = id
    if (typeof value !== 'boolean') putValue(out, type, value)
  }
  put(out, [TYPE.stop])
}

function putValue(out: Output, type: number, value: ThriftValue): void {
  if (typeof value === 'boolean') put(out, [typeOf(value)])
  else if (typeof value === 'bigint' && type === TYPE.byte) put(out, [Number(value)])
  else if (typeof value === 'bigint') putVarint(out, BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)))
  else if (value instanceof Uint8Array)
    put(type === TYPE.binary ? putVarint(out, BigInt(value.length)) : out, value)
  else if (value instanceof Map) putStruct(out, value)
  else {
    const { of, items } = value
    if (items.length < 15) put(out, [(items.length << 4) | of])
    else putVarint(put(out, [0xf0 | of]), BigInt(items.length))
    for (const item of items) putValue(out, of, item)
  }
}

function putVarint(out: Output, value: bigint): Output {
  let rest = value
  for (; rest > 127n; rest >>= 7n) put(out, [Number(rest & 127n) | 128])
  return put(out, [Number(rest)])
}

function put(out: Output, bytes: ArrayLike<number>): Output {
  if (out.end + bytes.length > out.bytes.length)
    out.bytes = Buffer.concat([out.bytes, Buffer.alloc(Math.max(out.bytes.length, bytes.length))])
  out.bytes.set(bytes, out.end)
  out.end += bytes.length
  return out
}
