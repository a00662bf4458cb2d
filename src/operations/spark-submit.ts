/** Submits a Spark application (Spark's own Connect server) and runs a job on it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, openSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { App, EngineChoice, SubmitOptions, SubmitResult } from './app.ts'
import { failure, storageFailure } from '../core/errors.ts'
import { openTable } from '../lakehouse/table.ts'
import { history } from '../lakehouse/versions.ts'
import {
  adviseSizing,
  parseProperties,
  sizeOf,
  submissionArguments,
  type MeasuredRun,
} from '../planning/spark-sizing.ts'
import { isSecretSetting } from '../planning/engine-support.ts'
import { loadDataset } from './datasets.ts'
import { homeFolder } from '../host/home-folder.ts'
import { foreignVariable, inheritedEnvironment } from '../host/settings.ts'
import { freePort } from '../host/jvm-servers.ts'
import { localSubmit, waitForServer } from '../host/spark-server.ts'
import { openStore } from './stores.ts'

/** Number of commits behind the advice. */
const LOOK_BACK = 500
const CLUSTER_PORT = 15_002
const BATCH_MEMORY_BYTES = 1_073_741_824

type Jobs = Pick<App, 'stream' | 'batch'>

export async function submit(name: string, options: SubmitOptions, jobs: Jobs): Promise<SubmitResult> {
  const loaded = await loadDataset(name)
  const { dataset } = loaded
  const { job, deployMode } = options
  const properties = await propertiesOf(options.properties)
  const sizing = sizeOf(job, properties, {
    executors: options.executors,
    coresPerExecutor: options.executorCores,
    executorMemory: options.executorMemory,
  })
  const port = deployMode === 'cluster' ? CLUSTER_PORT : await freePort()
  const args = submissionArguments({
    master: options.master ?? dataset.spark.master,
    deployMode,
    port,
    sizing,
    properties: { ...dataset.spark.settings, ...properties },
    name: `headrace-${dataset.name}-${job}`,
  })
  const runs = await measuredRuns(job === 'stream' ? loaded.rawPath : loaded.processedPath)
  const advice = adviseSizing(runs, job === 'stream' ? 'messages' : 'rows', sizing, options.rate)
  const shown: SubmitResult = {
    command: `spark-submit ${args.map(shellWord).join(' ')}`,
    sizing,
    advice: advice?.explanation ?? null,
    attach: deployMode === 'cluster' ? `headrace ${job} ${name} --connect HOST:${port}` : null,
    result: null,
  }
  if (options.print) return shown
  const application = await launch(options, args, sizing.driverMemory)
  if (deployMode === 'cluster') {
    await handedOver(application)
    return shown
  }
  return {
    ...shown,
    result: await runOn(application, port, async (engine) => runJob(name, options, engine, jobs)),
  }
}

/** The user's settings of Spark. Throws `not_supported` for secrets, because Spark shows its settings. */
async function propertiesOf(file: string | undefined): Promise<Record<string, string>> {
  const properties = file === undefined ? {} : parseProperties(await read(file))
  const secret = Object.keys(properties).find(isSecretSetting)
  if (secret !== undefined)
    throw failure('not_supported', {
      feature: `the secret ${secret} in the settings, which Spark shows to everyone who can see the job,`,
      instead: 'Keep logins in the environment and in the files that AWS tools and Kafka clients read.',
    })
  return properties
}

/** A running submitter, with its own folder. */
interface Application {
  child: ChildProcess
  /** Resolves with its exit code. */
  ended: Promise<number | null>
  folder: string
  log: string
  /** Required to use the server. */
  token: string
}

async function launch(options: SubmitOptions, args: string[], memory: string): Promise<Application> {
  const token = foreignVariable('SPARK_CONNECT_AUTHENTICATE_TOKEN') ?? randomBytes(24).toString('base64url')
  const folder = join(homeFolder(), 'spark', String(process.pid))
  await mkdir(folder, { recursive: true })
  const { command, before, env } = await submitCommand(folder, memory, options.deployMode)
  options.say(`Submitting: ${command.split('/').at(-1)} ...`)
  const log = join(folder, 'submit.log')
  const out = openSync(log, 'a')
  const child = spawn(command, [...before, ...args], {
    cwd: folder,
    stdio: ['ignore', out, out],
    env: inheritedEnvironment({ ...env, SPARK_CONNECT_AUTHENTICATE_TOKEN: token }),
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  child.once('error', () => undefined)
  return { child, ended, folder, log, token }
}

/**
 * In cluster mode, the submitter has finished when the cluster has accepted the application. The job attaches
 * where its driver runs.
 */
async function handedOver({ ended, log }: Application): Promise<void> {
  if ((await ended) !== 0)
    throw failure('missing_part', {
      part: 'the Spark application',
      purpose: 'this job',
      reason: `spark-submit failed (${log})`,
      instead: 'Fix the submission; --print shows it.',
    })
}

/** Runs a job on the application once its server answers, and ends the application afterwards. */
async function runOn<T>(
  { child, ended, folder, log, token }: Application,
  port: number,
  job: (engine: EngineChoice) => Promise<T>,
): Promise<T> {
  try {
    const connect = `127.0.0.1:${port}`
    await waitForServer(child, connect, token, `(log: ${log})`)
    const tokenFile = join(folder, 'token')
    await writeFile(tokenFile, token, { mode: 0o600 })
    return await job({ connect, tokenFile })
  } finally {
    child.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true, force: true })
  }
}

async function runJob(
  name: string,
  { job, untilCaughtUp, signal, say }: SubmitOptions,
  engine: EngineChoice,
  jobs: Jobs,
): Promise<Record<string, unknown>> {
  if (job === 'stream')
    return {
      ...(await jobs.stream(name, {
        engine,
        untilCaughtUp,
        metricsPort: undefined,
        signal,
        say,
        onCommit: () => undefined,
      })),
    }
  const [result] = await jobs.batch(name, {
    engine,
    memoryBytes: BATCH_MEMORY_BYTES,
    dryRun: false,
    hold: [],
    release: [],
    say,
  })
  return { ...result }
}

/**
 * The user's Spark, if there is one; else that of the pinned jars, which can be a client of a standalone
 * master or run alone.
 */
async function submitCommand(
  folder: string,
  memory: string,
  deployMode: 'client' | 'cluster',
): Promise<{ command: string; before: string[]; env: Record<string, string> }> {
  const installation = foreignVariable('SPARK_HOME')
  const own = installation === undefined ? undefined : join(installation, 'bin', 'spark-submit')
  if (own !== undefined && existsSync(own)) return { command: own, before: [], env: {} }
  if (deployMode === 'cluster')
    throw failure('missing_part', {
      part: 'spark-submit',
      purpose: '--deploy-mode cluster',
      reason: 'SPARK_HOME is not the folder of a Spark installation',
      instead: 'Set SPARK_HOME, or run the command that --print shows on a machine with Spark.',
    })
  return localSubmit(folder, memory)
}

/** The measurements in commits. */
async function measuredRuns(path: string): Promise<MeasuredRun[]> {
  const table = await openTable(await openStore(path))
  if (table === undefined) return []
  const versions = await history(table.store, LOOK_BACK)
  return versions.flatMap((version) => {
    const work = version.commit?.headrace?.work as
      | { engine: string; units: number; ms: number; cores: number }
      | undefined
    return work?.engine === 'spark'
      ? [{ units: work.units, workMs: work.ms, cores: work.cores, endMs: version.commit?.timestamp ?? 0 }]
      : []
  })
}

async function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw storageFailure(error, 'read', path)
  })
}

const shellWord = (word: string): string =>
  /^[\w@%+=:,./[\]*-]+$/.test(word) && !/[[\]*]/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
