/**
 * The size of a Spark application: the flags, else a properties file, else the defaults. Advice comes from
 * measured runs of this installation and explains itself.
 */

export type SparkJob = 'stream' | 'batch'

export interface SparkSizing {
  executors: number
  coresPerExecutor: number
  executorMemory: string
  driverMemory: string
}

/** The defaults: stream 5 executors of 2 cores, batch 10 of 4, 4 GB each. */
export const DEFAULT_SIZING: Record<SparkJob, SparkSizing> = {
  stream: { executors: 5, coresPerExecutor: 2, executorMemory: '4g', driverMemory: '2g' },
  batch: { executors: 10, coresPerExecutor: 4, executorMemory: '4g', driverMemory: '2g' },
}

/** What a commit tells about the work behind it. */
export interface MeasuredRun {
  units: number
  workMs: number
  /** Cores that worked. */
  cores: number
  endMs: number
}

export interface SizingAdvice {
  cores: number
  executors: number
  explanation: string
}

/** Share of the cores that should be busy at the peak. The rest is for restarts, retries and growth. */
const BUSY_SHARE = 0.7
const HOUR_MS = 3_600_000

/**
 * Cores for a rate: rate / (units per second and core, the median of the runs) / BUSY_SHARE. Without a rate,
 * that of the busiest hour of the runs. Undefined without runs.
 */
export function adviseSizing(
  runs: MeasuredRun[],
  unit: string,
  sizing: SparkSizing,
  ratePerSecond: number | undefined,
): SizingAdvice | undefined {
  const useful = runs.filter((run) => run.workMs > 0 && run.units > 0 && run.cores > 0)
  if (useful.length === 0) return undefined
  const speeds = useful.map((run) => run.units / (run.workMs / 1000) / run.cores).toSorted((a, b) => a - b)
  const speed = speeds[Math.floor(speeds.length / 2)]
  const rate = ratePerSecond ?? busiestHour(useful)
  const cores = Math.max(1, Math.ceil(rate / speed / BUSY_SHARE))
  const executors = Math.max(1, Math.ceil(cores / sizing.coresPerExecutor))
  const explanation = `${useful.length} measured runs took ${Math.round(speed).toLocaleString('en-US')} ${unit} a second and core (median). ${ratePerSecond === undefined ? 'Their busiest hour' : 'You asked for'} ${ratePerSecond === undefined ? `brought ${Math.round(rate).toLocaleString('en-US')}` : Math.round(rate).toLocaleString('en-US')} a second: ${(rate / speed).toFixed(1)} cores, and ${cores} so that no more than ${BUSY_SHARE * 100} % of them are busy at the peak; ${executors} executors of ${sizing.coresPerExecutor}.`
  return { cores, executors, explanation }
}

function busiestHour(runs: MeasuredRun[]): number {
  const hours = Map.groupBy(runs, (run) => Math.floor(run.endMs / HOUR_MS))
  return Math.max(
    ...[...hours.values()].map((all) => {
      const [first, last] = [
        Math.min(...all.map((run) => run.endMs - run.workMs)),
        Math.max(...all.map((run) => run.endMs)),
      ]
      return (
        all.reduce((sum, run) => sum + run.units, 0) /
        (Math.min(HOUR_MS, Math.max(1_000, last - first)) / 1000)
      )
    }),
  )
}

/**
 * `name value` or `name=value`, one per line, # for comments: works for spark-defaults.conf and Java's
 * properties.
 */
export function parseProperties(text: string): Record<string, string> {
  const found: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const match = /^\s*([^#\s=:][^\s=:]*)\s*[\s=:]\s*(.*?)\s*$/.exec(line)
    if (match !== null) found[match[1]] = match[2]
  }
  return found
}

const SIZING_PROPERTIES: Record<keyof SparkSizing, string> = {
  executors: 'spark.executor.instances',
  coresPerExecutor: 'spark.executor.cores',
  executorMemory: 'spark.executor.memory',
  driverMemory: 'spark.driver.memory',
}

/** Flags take precedence over properties, and these over the defaults of the job. */
export function sizeOf(
  job: SparkJob,
  properties: Record<string, string>,
  asked: Partial<SparkSizing>,
): SparkSizing {
  const given = (key: keyof SparkSizing): string | number =>
    asked[key] ?? properties[SIZING_PROPERTIES[key]] ?? DEFAULT_SIZING[job][key]
  return {
    executors: Number(given('executors')),
    coresPerExecutor: Number(given('coresPerExecutor')),
    executorMemory: String(given('executorMemory')),
    driverMemory: String(given('driverMemory')),
  }
}

export interface Submission {
  master: string
  deployMode: 'client' | 'cluster'
  /** Port of the application's Connect server. */
  port: number
  sizing: SparkSizing
  properties: Record<string, string>
  name: string
}

/**
 * Arguments of spark-submit. The application is Spark's own Connect server, to which our job attaches. They
 * contain no secret.
 */
export function submissionArguments({
  master,
  deployMode,
  port,
  sizing,
  properties,
  name,
}: Submission): string[] {
  const settings: Record<string, string> = {
    'spark.executor.instances': String(sizing.executors),
    // Without this limit, a standalone master gives an application all cores.
    ...(master.startsWith('spark://')
      ? { 'spark.cores.max': String(sizing.executors * sizing.coresPerExecutor) }
      : {}),
    ...(deployMode === 'client' ? { 'spark.connect.grpc.binding.address': '127.0.0.1' } : {}),
    'spark.connect.grpc.binding.port': String(port),
    'spark.sql.extensions': 'io.delta.sql.DeltaSparkSessionExtension',
    'spark.sql.catalog.spark_catalog': 'org.apache.spark.sql.delta.catalog.DeltaCatalog',
    'spark.sql.session.timeZone': 'UTC',
    ...Object.fromEntries(
      Object.entries(properties).filter(([key]) => !Object.values(SIZING_PROPERTIES).includes(key)),
    ),
  }
  const flags: Record<string, string> = {
    class: 'org.apache.spark.sql.connect.service.SparkConnectServer',
    name,
    master,
    'deploy-mode': deployMode,
    'driver-memory': sizing.driverMemory,
    'executor-memory': sizing.executorMemory,
    'executor-cores': String(sizing.coresPerExecutor),
  }
  return [
    ...Object.entries(flags).flatMap(([key, value]) => [`--${key}`, value]),
    ...Object.entries(settings).flatMap(([key, value]) => ['--conf', `${key}=${value}`]),
    'spark-internal',
  ]
}
