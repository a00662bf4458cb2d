/** A closed range of a Kafka topic as a relation of a plan. */
import type { OffsetRange } from '../../core/engine.ts'
import { failure } from '../../core/errors.ts'
import type { KafkaSourceSpec } from '../../dataset/declaration.ts'
import type { Relation } from './protocol.ts'

/** Why Spark cannot read a topic that is declared so; undefined when it can. */
export function kafkaProblem(spec: KafkaSourceSpec): string | undefined {
  return spec.tls !== undefined && !spec.tls.verify ? 'kafka.tls.verify: false (the Java client always checks certificates)' : undefined
}

/**
 * The rows are `key, value, topic, partition, offset, timestamp, timestampType, headers`. Aborted messages are left out; offsets
 * that were deleted are an error (failOnDataLoss).
 */
export function kafkaRange(spec: KafkaSourceSpec, ranges: OffsetRange[]): Relation {
  const problem = kafkaProblem(spec)
  if (problem !== undefined) throw failure('not_supported', { feature: `${problem} on Spark`, instead: 'Use engine: duckdb, or a certificate that a CA signed.' })
  const offsets = (of: (range: OffsetRange) => number): string => JSON.stringify({ [spec.topic]: Object.fromEntries(ranges.map((range) => [range.partition, of(range)])) })
  const options: Record<string, string> = {
    'kafka.bootstrap.servers': spec.brokers.join(','),
    'kafka.isolation.level': 'read_committed',
    assign: JSON.stringify({ [spec.topic]: ranges.map((range) => range.partition) }),
    startingOffsets: offsets((range) => range.from),
    endingOffsets: offsets((range) => range.until),
    includeHeaders: 'true',
    failOnDataLoss: 'true',
    ...security(spec),
  }
  return { read: { data_source: { format: 'kafka', options } } }
}

/** The password never enters the plan: the client reads it from the file that the declaration names, where it runs. */
function security(spec: KafkaSourceSpec): Record<string, string> {
  const { tls, sasl } = spec
  const protocol = `${sasl === undefined ? '' : 'SASL_'}${tls === undefined ? 'PLAINTEXT' : 'SSL'}`
  const options: Record<string, string> = { 'kafka.security.protocol': protocol }
  if (tls?.ca !== undefined) Object.assign(options, { 'kafka.ssl.truststore.type': 'PEM', 'kafka.ssl.truststore.location': tls.ca })
  if (sasl === undefined) return options
  const slash = sasl.passwordFile.lastIndexOf('/')
  const module = sasl.mechanism === 'PLAIN' ? 'org.apache.kafka.common.security.plain.PlainLoginModule' : 'org.apache.kafka.common.security.scram.ScramLoginModule'
  const password = `\${dir:${sasl.passwordFile.slice(0, slash) || '/'}:${sasl.passwordFile.slice(slash + 1)}}`
  return {
    ...options,
    'kafka.config.providers': 'dir',
    'kafka.config.providers.dir.class': 'org.apache.kafka.common.config.provider.DirectoryConfigProvider',
    'kafka.sasl.mechanism': sasl.mechanism,
    'kafka.sasl.jaas.config': `${module} required username="${sasl.username}" password="${password}";`,
  }
}
