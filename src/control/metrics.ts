/**
 * Metrics of the service for Prometheus. Each scrape queries the database for its numbers; what a process
 * does is counted in that process.
 */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Db } from '../state/database.ts'
import { coresAt, oldestWait, openBookings, vcpuHoursAt, waitingByReason } from '../state/metrics.ts'

export interface ServiceMetrics {
  text(): Promise<{ type: string; text: string }>
  /** Counts an answered request. `route` is its pattern, never its path. */
  answered(route: string, status: number, seconds: number): void
  cycle(seconds: number, booked: number): void
  ended(outcome: string, code: string | undefined): void
  failed(loop: 'scheduler' | 'runner'): void
  /** An estimate was given; `reason`: why the rule gave it. */
  estimated(source: string, by: 'model' | 'rule', reason: string | undefined): void
}

export function createServiceMetrics(db: Db, now: () => Date): ServiceMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'headrace_' })
  const requests = new Histogram({
    name: 'headrace_http_request_seconds',
    help: 'Requests by route and status',
    labelNames: ['route', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2, 10],
    registers,
  })
  const cycles = new Histogram({
    name: 'headrace_scheduler_cycle_seconds',
    help: 'Cycles of the scheduler that decided something',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers,
  })
  const admissions = new Counter({ name: 'headrace_admissions_total', help: 'Executions booked', registers })
  const ends = new Counter({
    name: 'headrace_executions_ended_total',
    help: 'Ends of executions on this process, by outcome and reason',
    labelNames: ['outcome', 'reason'],
    registers,
  })
  const failures = new Counter({
    name: 'headrace_loop_failures_total',
    help: 'Rounds of a loop that failed and were tried again',
    labelNames: ['loop'],
    registers,
  })
  const estimates = new Counter({
    name: 'headrace_estimates_total',
    help: 'Estimates by source type, by who answered, and by why the rule did',
    labelNames: ['source', 'by', 'reason'],
    registers,
  })
  for (const gauge of ASKED) addAsked(registry, db, now, gauge)
  return {
    text: async () => ({ type: registry.contentType, text: await registry.metrics() }),
    answered: (route, status, seconds) => requests.observe({ route, status: String(status) }, seconds),
    cycle(seconds, booked) {
      cycles.observe(seconds)
      admissions.inc(booked)
    },
    ended: (outcome, code) => ends.inc({ outcome, reason: code ?? '' }),
    failed: (loop) => failures.inc({ loop }),
    estimated: (source, by, reason) => estimates.inc({ source, by, reason: reason ?? '' }),
  }
}

interface AskedGauge {
  name: string
  help: string
  labels: string[]
  query: (db: Db, at: Date) => Promise<Record<string, string | number>[]>
}

/** Metrics that come from the database. */
const ASKED: AskedGauge[] = [
  {
    name: 'headrace_queued_executions',
    help: 'Executions that wait, by namespace and by why',
    labels: ['namespace', 'reason'],
    query: waitingByReason,
  },
  {
    name: 'headrace_queue_oldest_seconds',
    help: 'How long the oldest execution that may start has waited',
    labels: [],
    query: oldestWait,
  },
  {
    name: 'headrace_open_bookings',
    help: 'Executions that are booked or run',
    labels: ['namespace', 'status'],
    query: openBookings,
  },
  {
    name: 'headrace_capacity_cpu_cores',
    help: 'Cores of the present slot',
    labels: ['namespace', 'kind'],
    query: coresAt,
  },
  {
    name: 'headrace_tenant_vcpu_hours',
    help: 'vCPU-hours of tenants in lots that are valid now',
    labels: ['tenant', 'account'],
    query: vcpuHoursAt,
  },
]

function addAsked(
  registry: Registry,
  db: Db,
  now: () => Date,
  { name, help, labels, query }: AskedGauge,
): void {
  const gauge: Gauge = new Gauge({
    name,
    help,
    labelNames: labels,
    registers: [registry],
    async collect() {
      const rows = await query(db, now())
      gauge.reset()
      for (const row of rows)
        gauge.set(Object.fromEntries(labels.map((label) => [label, String(row[label])])), Number(row.value))
    },
  })
}
