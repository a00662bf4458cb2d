/**
 * `headrace bench NAME`: ratios against stated rivals, run in turn on this machine. Absolute figures are
 * shown for context and never tested. With --json the report alone goes to stdout.
 */
import { benchAdmission } from './admission.ts'
import { benchFreshness } from './freshness.ts'
import { benchHostile } from './hostile.ts'
import { benchHourly } from './hourly.ts'
import { benchJson } from './json.ts'
import type { BenchReport } from './measure.ts'
import { benchRestart } from './restart.ts'
import { benchRoutes } from './routes.ts'
import { benchSpark } from './spark.ts'
import { benchStream } from './stream.ts'
import { benchTransfer } from './transfer.ts'
import { benchXml } from './xml.ts'
import type { BenchOptions } from './measure.ts'

const BENCHES: Record<
  string,
  { run: (options: BenchOptions) => Promise<BenchReport>; pairs: number; what: string }
> = {
  xml: { run: benchXml, pairs: 5, what: 'scanner against saxes (xmlns: true) and txml, values read out' },
  json: {
    run: benchJson,
    pairs: 5,
    what: 'scanner against JSON.parse, values read out: flat lines, nested items, escapes',
  },
  stream: { run: benchStream, pairs: 5, what: 'Kafka to RAW against a hard-coded pipeline' },
  hourly: { run: benchHourly, pairs: 5, what: 'the batch against a bare scan-and-write and the best SQL' },
  restart: {
    run: benchRestart,
    pairs: 10,
    what: 'first commit after a kill, against the two seconds that are promised',
  },
  spark: {
    run: benchSpark,
    pairs: 3,
    what: 'the stream on Spark against Structured Streaming and one embedded process, and the crossover',
  },
  admission: {
    run: benchAdmission,
    pairs: 5,
    what: 'durable admissions of 100,000 queued executions of 5,000 tenants against a queue written by hand',
  },
  routes: {
    run: benchRoutes,
    pairs: 5,
    what: 'list and read routes against a bare Fastify route with the same SQL under the same role',
  },
  transfer: {
    run: benchTransfer,
    pairs: 5,
    what: 'PostgreSQL, CSV and NDJSON into Parquet against psql piped into DuckDB and a bare COPY',
  },
  hostile: {
    run: benchHostile,
    pairs: 3,
    what: 'the service under a tenant that sends its most expensive requests, against the 250 ms that are promised and a neighbour in peace',
  },
  freshness: {
    run: benchFreshness,
    pairs: 1,
    what: 'age of messages when readers see them, at half the top rate',
  },
}

const args = process.argv.slice(2)
const option = (name: string): string | undefined =>
  args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : undefined
const chosen = BENCHES[args[0] ?? '']

if (chosen === undefined) {
  process.stdout.write(
    `Benchmarks:\n${Object.entries(BENCHES)
      .map(([name, bench]) => `  ${name.padEnd(10)} ${bench.what}`)
      .join('\n')}\n`,
  )
  process.exitCode = args.length === 0 ? 0 : 2
} else {
  const report = await chosen.run({ rival: option('rival'), pairs: Number(option('pairs') ?? chosen.pairs) })
  if (args.includes('--json')) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`)
  else {
    for (const [rival, ratio] of Object.entries(report.ratios))
      process.stdout.write(`${report.bench} against ${rival}: ${ratio}\n`)
    for (const [name, figure] of Object.entries(report.figures))
      process.stdout.write(`  ${name}: ${figure}\n`)
    process.stdout.write(`  load before and after: ${report.load.join(', ')}\n`)
  }
  process.exit()
}
