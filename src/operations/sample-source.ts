/** Samples for `dataset infer`: the beginning of a file, decompressed, or the newest messages of a topic. */
import { createReadStream } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, resolve } from 'node:path'
import type { Transform } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { createKafkaClient } from '../connectors/kafka/client.ts'
import { createKafkaReader } from '../connectors/kafka/source.ts'
import { failure, reasonOf, storageFailure } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { createMessages } from '../core/messages.ts'
import { createSlab } from '../core/slab.ts'
import type { KafkaSourceSpec } from '../dataset/declaration.ts'

export interface Sample {
  documents: { bytes: Buffer; cut: boolean }[]
  /** For the declaration. */
  source: Record<string, unknown>
  notes: string[]
}

/** Undefined if there is no such file. */
export async function fileSample(path: string): Promise<Sample | undefined> {
  const facts = await stat(path).catch(() => undefined)
  if (facts?.isDirectory() === true)
    throw failure('sample_unusable', {
      source: path,
      reason: 'it is a folder',
      instead: 'Name one file in it.',
    })
  if (facts?.isFile() !== true) return undefined
  try {
    const head = await headOf(path)
    const unpacked = unpackerOf(head)
    const { bytes, cut } =
      unpacked === undefined
        ? { bytes: head, cut: facts.size > head.length }
        : await unpackedHead(path, unpacked)
    const notes = cut
      ? [
          `The sample is the first ${LIMITS.inferSampleBytes / 1024 / 1024} MiB of ${facts.size.toLocaleString('en-US')} ${unpacked === undefined ? '' : 'compressed '}bytes`,
        ]
      : []
    const { source, more } = await folderOf(path)
    return { documents: [{ bytes, cut }], source, notes: [...notes, ...more] }
  } catch (error) {
    throw storageFailure(error, 'read', path)
  }
}

async function headOf(path: string): Promise<Buffer> {
  await using file = await open(path)
  const buffer = Buffer.alloc(LIMITS.inferSampleBytes)
  let length = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
    length += bytesRead
    if (bytesRead === 0 || length === buffer.length) return buffer.subarray(0, length)
  }
}

function unpackerOf(head: Buffer): (() => Transform) | undefined {
  if (head[0] === 0x1f && head[1] === 0x8b) return createGunzip
  return head.length > 4 && head.readUInt32LE(0) === 0xfd2fb528 ? createZstdDecompress : undefined
}

/** Stops when there is enough: a small file can hold terabytes. */
async function unpackedHead(path: string, unpack: () => Transform): Promise<{ bytes: Buffer; cut: boolean }> {
  const packed = createReadStream(path)
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of packed.pipe(unpack())) {
      chunks.push(chunk as Buffer)
      length += (chunk as Buffer).length
      if (length > LIMITS.inferSampleBytes)
        return { bytes: Buffer.concat(chunks).subarray(0, LIMITS.inferSampleBytes), cut: true }
    }
    return { bytes: Buffer.concat(chunks), cut: false }
  } catch (error) {
    throw failure(
      'sample_unusable',
      {
        source: path,
        reason: `its compressed data is damaged: ${reasonOf(error)}`,
        instead: 'Copy or create the file again.',
      },
      error,
    )
  } finally {
    packed.destroy()
  }
}

/**
 * All files with this extension, if this is the only one in the folder; with others, the pattern would bring
 * them into the dataset.
 */
async function folderOf(path: string): Promise<{ source: Record<string, unknown>; more: string[] }> {
  const folder = dirname(resolve(path))
  const name = basename(path)
  const ending = extname(name)
  const others = (await readdir(folder).catch(() => [])).filter(
    (other) => other !== name && extname(other) === ending && !other.startsWith('.'),
  ).length
  const isOnly = ending !== '' && others === 0
  const source = { files: { path: folder, pattern: isOnly ? `*${ending}` : name } }
  const more =
    isOnly || ending === ''
      ? []
      : [`The folder has ${others} other file(s) named *${ending}. The pattern excludes them`]
  return { source, more }
}

export async function topicSample(topic: string, brokers: string): Promise<Sample> {
  const found = await newestMessages(topic, brokers)
  if (found.length === 0)
    throw failure('sample_unusable', {
      source: `topic ${topic}`,
      reason: 'it has no message',
      instead: 'Produce some messages first, or name a file.',
    })
  return {
    documents: found.map((bytes) => ({ bytes, cut: false })),
    source: { kafka: { brokers: brokers.split(','), topic } },
    notes: [],
  }
}

async function newestMessages(topic: string, brokers: string): Promise<Buffer[]> {
  const spec: KafkaSourceSpec = {
    kind: 'kafka',
    brokers: brokers.split(','),
    topic,
    start: 'earliest',
    tls: undefined,
    sasl: undefined,
  }
  const client = createKafkaClient(spec)
  try {
    const info = await client.topic(topic)
    const ends = await client.offsetsAt(topic, info, -1)
    const first = await client.offsetsAt(topic, info, -2)
    const each = Math.ceil(LIMITS.inferSamples / info.leaders.size)
    const positions = [...ends].map(([partition, end]) => ({
      partition,
      next: Math.max(first.get(partition) ?? 0, end - each),
    }))
    const reader = createKafkaReader({
      client,
      topic,
      topicId: info.topicId,
      positions,
      until: ends,
      onTrouble: () => undefined,
    })
    const messages = createMessages(createSlab(LIMITS.inferSampleBytes), 1024)
    const found: Buffer[] = []
    while (found.length < LIMITS.inferSamples) {
      const { positions: now } = await reader.read(messages, 500)
      for (let i = 0; i < messages.count; i += 1) {
        const start = messages.valueStart[i]
        if (messages.valueLength[i] > 0)
          found.push(Buffer.from(messages.slab.bytes.subarray(start, start + messages.valueLength[i])))
      }
      if (now.every((position) => position.next >= (ends.get(position.partition) ?? 0))) break
    }
    return found
  } finally {
    await client.close()
  }
}
