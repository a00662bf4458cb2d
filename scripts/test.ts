/**
 * `headrace test`: sets up what the tests need and says what it could not, runs everything, and ends with
 * `N passed, N failed, N skipped`. With CI=true a missing part is a failure, never a skip.
 */
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { endLeftovers } from './leftovers.ts'
import { testsOfChanges } from './changed-tests.ts'
import { setUpParts } from './test-parts.ts'

/** `files`: what names of test files must contain, any of them. */
const LONG_SUITES: Record<string, { files: string[]; env: Record<string, string> }> = {
  kills: {
    files: ['kills', 'failpoints', 'crashed-decoders'].map((name) => `test/faults/${name}.test.ts`),
    env: { HEADRACE_TEST_KILLS: '200', HEADRACE_TEST_MESSAGES: '1000000' },
  },
  stall: { files: ['test/faults/disk.test.ts'], env: { HEADRACE_TEST_STALL_S: '600' } },
  power: { files: ['test/faults/disk.test.ts'], env: { HEADRACE_TEST_CUTS: '50' } },
  link: {
    files: ['kafka', 'kafka-links', 'kafka-logins'].map((name) => `test/integration/${name}.test.ts`),
    env: { HEADRACE_TEST_SPELL_S: '60' },
  },
  large: {
    files: ['shapes', 'large-files', 'line-files', 'drift'].map((name) => `test/integration/${name}.test.ts`),
    env: { HEADRACE_TEST_LARGE_RECORDS: '10000000' },
  },
  log: { files: ['test/lakehouse/long-log.test.ts'], env: { HEADRACE_TEST_SIMULATED_HOURS: '48' } },
  spark: {
    files: [
      'test/faults/spark.test.ts',
      'test/faults/spark-troubles.test.ts',
      'test/conformance/tables.test.ts',
    ],
    env: { HEADRACE_TEST_SPARK_KILLS: '30' },
  },
  upkeep: { files: ['test/faults/upkeep.test.ts'], env: { HEADRACE_TEST_UPKEEP_KILLS: '60' } },
  schedule: { files: ['test/dataset/schedule.test.ts'], env: { HEADRACE_TEST_ZONES: 'all' } },
  service: { files: ['test/faults/service.test.ts'], env: { HEADRACE_TEST_SERVICE_KILLS: '100' } },
  steps: { files: ['test/faults/service-steps.test.ts'], env: { HEADRACE_TEST_STEP_KILLS: '500' } },
  control: { files: ['test/faults/control-database.test.ts'], env: { HEADRACE_TEST_CONTROL_CUTS: '20' } },
  requests: { files: ['test/service/api.test.ts'], env: { HEADRACE_TEST_REQUESTS: '20000' } },
  late: {
    files: ['test/service/postgres-source.test.ts', 'test/service/mysql-source.test.ts'],
    env: { HEADRACE_TEST_LATE_S: '1200' },
  },
  simulation: { files: ['test/simulation'], env: { HEADRACE_TEST_HISTORIES: '10000' } },
  growth: {
    files: ['test/simulation/growth.test.ts'],
    env: { HEADRACE_TEST_GROWTH_TENANTS: '50000', HEADRACE_TEST_GROWTH_JOBS: '1000000' },
  },
  values: {
    files: [
      'test/quality',
      'test/engines',
      'test/integration/type-paths.test.ts',
      'test/integration/type-paths-spark.test.ts',
      'test/service/proven-read.test.ts',
      'test/service/one-way.test.ts',
      'test/integration/generated-files.test.ts',
      'test/integration/infer-real-files.test.ts',
      'test/faults/poison.test.ts',
    ],
    env: {
      HEADRACE_TEST_TYPE_TEXTS: '100000',
      HEADRACE_TEST_VALUES_LONG: '1',
      HEADRACE_TEST_GENERATED_FILES: '300',
      HEADRACE_TEST_REAL_FILES: 'all',
      HEADRACE_TEST_POISON: 'all',
    },
  },
  kafka: {
    files: ['test/integration/kafka-histories.test.ts'],
    env: { HEADRACE_TEST_KAFKA_HISTORIES: '300' },
  },
  delta: {
    files: ['test/integration/delta-histories.test.ts', 'test/conformance/delta-histories.test.ts'],
    env: { HEADRACE_TEST_DELTA_HISTORIES: '200' },
  },
  sleepers: { files: ['test/faults/slept-writers.test.ts'], env: { HEADRACE_TEST_SLEEPS: '50' } },
  jobs: { files: ['test/service/job-walks.test.ts'], env: { HEADRACE_TEST_JOB_WALKS: '500' } },
  cases: {
    files: [
      'test/dataset/growth.test.ts',
      'test/conformance/engines.test.ts',
      'test/conformance/stores.test.ts',
      'test/conformance/store-faults.test.ts',
      'test/integration/encodings.test.ts',
      'test/integration/values.test.ts',
      'test/integration/kafka.test.ts',
      'test/integration/kafka-logins.test.ts',
      'test/service/table-parts.test.ts',
    ],
    env: {},
  },
  property: { files: ['test/formats'], env: { HEADRACE_TEST_PROPERTY_RUNS: '300000' } },
}

interface Report {
  numPassedTests: number
  numFailedTests: number
  numPendingTests: number
  numTodoTests: number
}

/**
 * What a whole run may take. It is half an hour on two cores; a run that hangs must end by itself, say which
 * test it was in and what ran then, before whoever started it gives up.
 */
const RUN_LIMIT_MS = 75 * 60_000

/**
 * Runs a command to its end; at the limit it prints the processes that run and ends the command with all
 * below it.
 */
async function bounded(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  limitMs: number,
): Promise<number | null> {
  const child = spawn(command, args, { stdio: 'inherit', env, detached: true })
  const stop = (): void => void process.kill(-(child.pid as number), 'SIGKILL')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (stop(), process.exit(130)))
  const timer = setTimeout(() => {
    process.stdout.write(
      `The run did not end within ${limitMs / 60_000} minutes. What ran then (pid, seconds, command):\n`,
    )
    spawnSync('bash', ['-c', 'ps axww -o pid,etimes,args --sort=etimes | cut -c1-240 | head -40'], {
      stdio: 'inherit',
    })
    stop()
  }, limitMs)
  const code = await new Promise<number | null>((done) => child.on('exit', done))
  clearTimeout(timer)
  return code
}

async function vitest(args: string[], env: Record<string, string>, limitMs: number): Promise<Report> {
  const file = resolve('.headrace', `report-${process.pid}.json`)
  mkdirSync('.headrace', { recursive: true })
  // In CI each test is told when it ends: a run that is cut off then shows where it was.
  const reporter = process.env.CI === 'true' ? 'verbose' : 'default'
  const code = await bounded(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      `--reporter=${reporter}`,
      '--reporter=json',
      `--outputFile.json=${file}`,
      ...args,
    ],
    { ...process.env, ...env },
    limitMs,
  )
  if (!existsSync(file)) return { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numTodoTests: 0 }
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report
  rmSync(file)
  // A crash outside of any test (an import that fails) must not look like success.
  return code !== 0 && report.numFailedTests === 0 ? { ...report, numFailedTests: 1 } : report
}

interface Chosen {
  /** For vitest. */
  args: string[]
  env: Record<string, string>
  limitMs: number
}

/** A long suite, or the tests that match. */
function chooseTests(long: string | undefined, filters: string[]): Chosen {
  if (long === undefined) return { args: filters, env: {}, limitMs: RUN_LIMIT_MS }
  const suite = LONG_SUITES[long]
  if (suite === undefined)
    throw new Error(`no long suite ${long}; there are ${Object.keys(LONG_SUITES).join(', ')}`)
  return {
    args: ['--testTimeout=4800000', ...suite.files],
    env: { ...suite.env, HEADRACE_TEST_LONG_SUITE: long },
    limitMs: 5 * 3_600_000,
  }
}

/** What counts as failed: in CI what is missing or skipped, too. */
function tellOutcome(report: Report, missing: string[]): { failed: number; skipped: number } {
  const skipped = report.numPendingTests + report.numTodoTests
  const left = process.env.CI === 'true' ? missing.length + skipped : 0
  if (left > 0)
    process.stdout.write(
      `In CI nothing may be missing or skipped: ${missing.join(', ')} ${skipped} skipped\n`,
    )
  return { failed: report.numFailedTests + left, skipped }
}

/** What the working tree's changes touch, said on stderr; with filters, those of them that match one. */
function changedTests(filters: string[], since: string | undefined): string[] {
  const { changed, tests, of } = testsOfChanges(since)
  const chosen = tests.filter(
    (path) => filters.length === 0 || filters.some((filter) => path.includes(filter)),
  )
  process.stderr.write(
    `${changed.length} files changed; ${chosen.length} of ${of} test files depend on them\n`,
  )
  return chosen
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      long: { type: 'string' },
      list: { type: 'boolean' },
      changed: { type: 'boolean' },
      since: { type: 'string' },
    },
  })
  const isOfChanges = values.changed === true || values.since !== undefined
  const wanted = isOfChanges ? changedTests(positionals, values.since) : positionals
  if (isOfChanges && (values.list === true || wanted.length === 0)) {
    for (const path of wanted) process.stdout.write(`${path}\n`)
    return
  }
  if (values.list) {
    for (const [name, suite] of Object.entries(LONG_SUITES))
      process.stdout.write(`${name}  ${suite.files.join(' ')}\n`)
    return
  }
  const missing = await setUpParts()
  const chosen = chooseTests(values.long, wanted)
  // What the tests leave behind lies in one folder, which other users (the database's) may enter. It stays
  // when a test failed.
  const leftovers = mkdtempSync(join(tmpdir(), 'headrace-test-'))
  chmodSync(leftovers, 0o755)
  const env = { ...chosen.env, TMPDIR: leftovers, HEADRACE_TEST_MISSING: missing.join(',') }
  const report = await vitest(chosen.args, env, chosen.limitMs)
  const left = endLeftovers(leftovers)
  if (left.length > 0) process.stdout.write(`Ended, since tests left it running:\n${left.join('\n')}\n`)
  const { failed, skipped } = tellOutcome(report, missing)
  if (failed === 0) rmSync(leftovers, { recursive: true, force: true, maxRetries: 10, retryDelay: 300 })
  else process.stdout.write(`What the tests left behind: ${leftovers}\n`)
  process.stdout.write(`${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`)
  process.exitCode = failed === 0 ? 0 : 1
}

await main()
