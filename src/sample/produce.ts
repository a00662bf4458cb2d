/**
 * The producer: makes messages, sends them in batches and keeps the journal, at a rate or at full speed, once
 * or continuously.
 */
import type { MessageSink } from '../core/message-sink.ts'
import { sampleMessage, type MessageKind, type SampleMessage } from './library.ts'
import type { Journal } from './journal.ts'
import { pause } from '../core/waiting.ts'

export interface ProduceOptions {
  journal: Journal
  sink: MessageSink
  /** How many messages in this run; Infinity for continuous. */
  count: number
  /** Messages per second; 0 for full speed. */
  ratePerSecond: number
  signal: AbortSignal
  nowMs: () => number
  progress(sent: number): void
}

export interface ProduceSummary {
  messages: number
  bytes: number
  records: number
  byKind: Record<MessageKind, number>
  seconds: number
}

const BATCH = 1_000

export async function produce(options: ProduceOptions): Promise<ProduceSummary> {
  const { journal, sink, signal } = options
  const started = options.nowMs()
  const summary: ProduceSummary = {
    messages: 0,
    bytes: 0,
    records: 0,
    byKind: { good: 0, duplicate: 0, malformed: 0, late: 0, invalid: 0 },
    seconds: 0,
  }
  while (summary.messages < options.count && !signal.aborted) {
    const size = batchSize(options, summary.messages)
    const messages = Array.from({ length: size }, (_, i) =>
      sampleMessage(journal.header.seed, journal.next + i, journal.header.shares),
    )
    const outgoing = messages.map((message) => ({
      key: message.messageId,
      value: Buffer.from(message.xml),
      timeMs: options.nowMs() - message.lateHours * 3_600_000,
    }))
    const acknowledged = await sink.send(outgoing)
    await journal.append(
      messages.map((message, i) => ({
        index: message.index,
        kind: message.kind,
        messageId: message.messageId,
        ...acknowledged[i],
      })),
    )
    for (const [i, message] of messages.entries()) count(summary, message, outgoing[i].value.length)
    options.progress(summary.messages)
    await keepRate(options, started, summary.messages)
  }
  summary.seconds = (options.nowMs() - started) / 1000
  return summary
}

/** Small batches at a low rate, so that messages flow evenly. */
function batchSize(options: ProduceOptions, sent: number): number {
  const even =
    options.ratePerSecond > 0
      ? Math.max(1, Math.ceil(options.ratePerSecond / 20))
      : (options.sink.batchMessages ?? BATCH)
  return Math.min(options.sink.batchMessages ?? BATCH, even, options.count - sent)
}

function count(summary: ProduceSummary, message: SampleMessage, bytes: number): void {
  summary.messages += 1
  summary.bytes += bytes
  summary.records += message.accepted.length + message.quarantined
  summary.byKind[message.kind] += 1
}

async function keepRate(options: ProduceOptions, started: number, sent: number): Promise<void> {
  if (options.ratePerSecond === 0) return
  const due = started + (sent / options.ratePerSecond) * 1000
  const wait = due - options.nowMs()
  if (wait > 0) await pause(wait)
}
