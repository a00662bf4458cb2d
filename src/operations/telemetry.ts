/**
 * Metrics (Prometheus) and structured logs (JSON lines on stderr without a terminal). The number of labels is
 * limited: no run IDs.
 */
import { createServer, type Server } from 'node:http'
import { pino, type Logger } from 'pino'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { failure } from '../core/errors.ts'
import { settings } from '../host/settings.ts'
import type { CommitEvent } from '../core/results.ts'
import type { StreamObserver } from '../runner/supervisor-options.ts'

export function createLogger(): Logger {
  return pino({ name: 'headrace', level: settings().log }, pino.destination({ dest: 2, sync: true }))
}

export interface StreamMetrics {
  readonly registry: Registry
  committed(event: CommitEvent): void
  alive: StreamObserver['alive']
  trouble: StreamObserver['trouble']
  childDied: StreamObserver['childDied']
}

export function createStreamMetrics(dataset: string): StreamMetrics {
  const registry = new Registry()
  registry.setDefaultLabels({ dataset })
  const counters = createCounters([registry])
  const gauges = createGauges([registry])
  return {
    registry,
    committed(event) {
      for (const outcome of ['accepted', 'duplicate', 'quarantined'] as const)
        counters.records.inc({ outcome }, event.counts[outcome])
      for (const [rule, count] of Object.entries(event.counts.byReason)) counters.rejects.inc({ rule }, count)
      counters.messages.inc(event.counts.messages)
      counters.bytesIn.inc(event.counts.bytes)
      counters.bytesOut.inc(event.bytes)
      counters.commits.inc()
      gauges.commitTime.observe(event.durationMs / 1000)
      if (event.freshnessMs > 0) gauges.freshness.observe(event.freshnessMs / 1000)
      gauges.version.set(event.version)
    },
    alive(event) {
      for (const [partition, records] of event.lag)
        gauges.lag.set({ kafka_partition: String(partition) }, records)
      gauges.memory.set({ process: 'child' }, event.rssBytes)
      gauges.memory.set({ process: 'supervisor' }, process.memoryUsage.rss())
      gauges.window.set(event.windowMessages)
      gauges.windowBytes.set(event.windowBytes)
    },
    trouble: (event) => counters.failures.inc({ code: event.code }),
    childDied: () => counters.deaths.inc(),
  }
}

/** Totals of a stream since its start. */
function createCounters(registers: Registry[]) {
  return {
    records: new Counter({
      name: 'headrace_records_total',
      help: 'Records by outcome',
      labelNames: ['outcome'],
      registers,
    }),
    rejects: new Counter({
      name: 'headrace_rejects_total',
      help: 'Quarantined records by rule',
      labelNames: ['rule'],
      registers,
    }),
    messages: new Counter({ name: 'headrace_messages_total', help: 'Messages read', registers }),
    bytesIn: new Counter({
      name: 'headrace_bytes_read_total',
      help: 'Bytes of message values read',
      registers,
    }),
    bytesOut: new Counter({
      name: 'headrace_bytes_written_total',
      help: 'Bytes of data files committed',
      registers,
    }),
    commits: new Counter({ name: 'headrace_commits_total', help: 'Commits', registers }),
    failures: new Counter({
      name: 'headrace_trouble_total',
      help: 'Trouble that is tried again, by error code',
      labelNames: ['code'],
      registers,
    }),
    deaths: new Counter({
      name: 'headrace_child_deaths_total',
      help: 'Children that ended without being asked',
      registers,
    }),
  }
}

/** The present state of a stream. */
function createGauges(registers: Registry[]) {
  return {
    commitTime: new Histogram({
      name: 'headrace_commit_seconds',
      help: 'Time of a commit',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
      registers,
    }),
    freshness: new Histogram({
      name: 'headrace_freshness_seconds',
      help: 'Age of the newest message of a commit when readers can see it',
      buckets: [0.25, 0.5, 1, 1.5, 2, 5, 10, 60, 3600],
      registers,
    }),
    lag: new Gauge({
      name: 'headrace_lag_records',
      help: 'Messages behind the last stable offset',
      labelNames: ['kafka_partition'],
      registers,
    }),
    memory: new Gauge({
      name: 'headrace_memory_bytes',
      help: 'Resident memory',
      labelNames: ['process'],
      registers,
    }),
    window: new Gauge({
      name: 'headrace_dedup_window_messages',
      help: 'Messages in the dedup window',
      registers,
    }),
    windowBytes: new Gauge({
      name: 'headrace_dedup_window_bytes',
      help: 'Memory of the dedup window',
      registers,
    }),
    version: new Gauge({ name: 'headrace_table_version', help: 'Last version committed', registers }),
  }
}

/** Serves /metrics on a local port until it is closed. */
export function serveMetrics(registry: Registry, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end('See /metrics\n')
      return
    }
    void registry
      .metrics()
      .then((text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text))
  })
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? failure('port_in_use', { port, option: '--metrics-port' }, error)
          : error,
      ),
    )
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
