/** Samples for `dataset infer`: from a file or from the newest messages of a topic. */
import { open, stat } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import { createKafkaClient } from '../connectors/kafka/client.ts'
import { createKafkaReader } from '../connectors/kafka/reader.ts'
import type { App } from '../control/app.ts'
import { failure } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import { createMessages } from '../core/messages.ts'
import { createSlab } from '../core/slab.ts'
import { draftYaml } from '../dataset/infer.ts'
import type { Outline } from '../core/outline.ts'
import type { KafkaSourceSpec, RecordFormat } from '../dataset/declaration.ts'
import { outlineCsv } from '../formats/csv/outline.ts'
import { outlineJson } from '../formats/json/outline.ts'
import { outlineXml } from '../formats/xml/outline.ts'

const SAMPLE_BYTES = 4 * 1024 * 1024

export const inferDataset: App['inferDataset'] = async (source, options) => {
  const isFile = await stat(source).then(
    (facts) => facts.isFile(),
    () => false,
  )
  const samples = isFile ? [await head(source)] : await newestMessages(source, options.brokers)
  if (samples.length === 0) throw failure('usage', { reason: `topic ${source} has no messages to learn from` })
  const format = formatOf(source, samples)
  const outline = outlineOf(format, samples, options.record)
  if (outline.records === 0) throw failure('usage', { reason: `no record was found in ${source}; name one with --record /root/element` })
  const kafka = ['kafka:', `  brokers: [${options.brokers}]`, `  topic: ${source}`]
  const files = ['files:', `  path: ${dirname(resolve(source))}`, `  pattern: "*${extname(source)}"`]
  const name = options.name || source.split('/').at(-1)?.replace(/\..*$/, '').toLowerCase().replace(/[^a-z0-9]+/g, '_') || 'dataset'
  const record = [...(outline.record === '' || format === 'ndjson' ? [] : [`path: ${outline.record}`]), ...(outline.delimiter === undefined || outline.delimiter === ',' ? [] : [`delimiter: ${JSON.stringify(outline.delimiter)}`])]
  return draftYaml({ name, source: isFile ? files : kafka, format, ...outline, record })
}

/** By what a sample begins with; lines of JSON and CSV by the ending of their file. */
function formatOf(source: string, samples: string[]): RecordFormat {
  if (/\.(csv|tsv)$/i.test(source)) return 'csv'
  if (/\.(ndjson|jsonl)$/i.test(source)) return 'ndjson'
  return /^\s*[[{]/.test(samples[0]) ? 'json' : 'xml'
}

function outlineOf(format: RecordFormat, samples: string[], record: string | undefined): Outline & { delimiter?: string } {
  if (format === 'csv') return outlineCsv(samples[0]) ?? { record: '', records: 0, fields: [] }
  if (format === 'ndjson') return outlineJson(samples.flatMap((sample) => sample.split('\n')), '$')
  return format === 'json' ? outlineJson(samples, record) : outlineXml(samples, record)
}

async function head(path: string): Promise<string> {
  await using file = await open(path)
  const buffer = Buffer.alloc(SAMPLE_BYTES)
  const { bytesRead } = await file.read(buffer, 0, SAMPLE_BYTES, 0)
  return buffer.toString('utf8', 0, bytesRead)
}

async function newestMessages(topic: string, brokers: string): Promise<string[]> {
  const spec: KafkaSourceSpec = { kind: 'kafka', brokers: brokers.split(','), topic, start: 'earliest', tls: undefined, sasl: undefined }
  const client = createKafkaClient(spec)
  try {
    const info = await client.topic(topic)
    const ends = await client.offsetsAt(topic, info, -1)
    const first = await client.offsetsAt(topic, info, -2)
    const each = Math.ceil(LIMITS.inferSamples / info.leaders.size)
    const positions = [...ends].map(([partition, end]) => ({ partition, next: Math.max(first.get(partition) ?? 0, end - each) }))
    const reader = createKafkaReader({ client, topic, topicId: info.topicId, positions, until: ends, onTrouble: () => undefined })
    const messages = createMessages(createSlab(SAMPLE_BYTES), 1024)
    const found: string[] = []
    while (found.length < LIMITS.inferSamples) {
      const { positions: now } = await reader.read(messages, 500)
      for (let i = 0; i < messages.count; i += 1) if (messages.valueLength[i] > 0) found.push(messages.slab.bytes.toString('utf8', messages.valueStart[i], messages.valueStart[i] + messages.valueLength[i]))
      if (now.every((one) => one.next >= (ends.get(one.partition) ?? 0))) break
    }
    return found
  } finally {
    await client.close()
  }
}
