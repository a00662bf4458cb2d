/**
 * Sends sample messages at a rate that the sample producer cannot reach beside a stream on two cores: bodies
 * are made once and sent again under new keys. Arguments: brokers, topic, messages a second, seconds. Rate 0:
 * flat out, seconds times 10,000.
 */
import { openKafkaSink } from '../../src/connectors/kafka/sink.ts'
import { sampleMessage } from '../../src/sample/library.ts'

const [, , brokers, topic, rateText, secondsText] = process.argv
const [rate, seconds] = [Number(rateText), Number(secondsText)]
const BODIES = 20_000
const BATCH = 1_000
const sink = await openKafkaSink({
  spec: { kind: 'kafka', brokers: [brokers], topic, start: 'earliest', tls: undefined, sasl: undefined },
  partitions: 4,
  compression: 'none',
})
const shares = { duplicates: 0, malformed: 0, late: 0, invalid: 0 }
const bodies = Array.from({ length: BODIES }, (_, i) => Buffer.from(sampleMessage(1, i, shares).xml))
const total = rate === 0 ? seconds * 10_000 : rate * seconds
const started = Date.now()
const prefix = `${started}-`.padStart(20, '0')
for (let sent = 0; sent < total; sent += BATCH) {
  const early = rate === 0 ? 0 : (sent / rate) * 1000 - (Date.now() - started)
  if (early > 0) await new Promise((done) => setTimeout(done, early))
  const timeMs = Date.now()
  await sink.send(
    Array.from({ length: BATCH }, (_, i) => ({
      key: `${prefix}${String(sent + i).padStart(16, '0')}`,
      value: bodies[(sent + i) % BODIES],
      timeMs,
    })),
  )
}
const tookS = (Date.now() - started) / 1000
process.stdout.write(`${JSON.stringify({ messages: total, perSecond: Math.round(total / tookS) })}\n`)
await sink.close()
