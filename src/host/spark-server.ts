/**
 * A local Spark Connect server from the pinned jars in deploy/jars/spark, for `spark: local[n]` and the
 * tests. It needs no Python and no Spark installation.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createWriteStream, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { failure, reasonOf } from '../core/errors.ts'
import { openSparkSession } from '../engines/spark/session.ts'
import { foreignVariable, inheritedEnvironment } from './settings.ts'
import { SPARK_OPENS, endProcess, fetchJars, freePort } from './jvm-servers.ts'
import { retry } from '../core/waiting.ts'

export interface SparkServer {
  readonly address: string
  /** Required to use the server. */
  readonly token: string
  readonly pid: number
  /** Resolves when the server has ended, for whatever reason. */
  readonly ended: Promise<void>
  stop(): Promise<void>
  kill(): Promise<void>
}

export interface SparkServerOptions {
  /** Logs, scratch and warehouse. */
  folder: string
  /** `local[2]`, `local-cluster[2,1,1024]`, `spark://host:7077`. */
  master: string
  memory: string
  port?: number
  token?: string
  settings?: Record<string, string>
}

const JVM = [
  '-XX:+IgnoreUnrecognizedVMOptions',
  '--add-modules=jdk.incubator.vector',
  ...SPARK_OPENS,
  '-Djdk.reflect.useDirectMethodHandle=false',
  '-Dio.netty.tryReflectionSetAccessible=true',
]
const START_MS = 120_000

export async function startSparkServer(options: SparkServerOptions): Promise<SparkServer> {
  const jars = await fetchJars('spark')
  const port = options.port ?? (await freePort())
  const token = options.token ?? randomBytes(24).toString('base64url')
  const folder = (name: string): string => join(options.folder, name)
  for (const name of ['tmp', 'local', 'warehouse']) mkdirSync(folder(name), { recursive: true })
  const jvm = [
    '-XX:+UseSerialGC',
    `-Xmx${options.memory}`,
    `-Djava.io.tmpdir=${folder('tmp')}`,
    ...JVM,
    '-cp',
    `${jars}/*`,
  ]
  const main = [
    'org.apache.spark.deploy.SparkSubmit',
    '--class',
    'org.apache.spark.sql.connect.service.SparkConnectServer',
    ...Object.entries(serverSettings(options, port)).flatMap(([key, value]) => ['--conf', `${key}=${value}`]),
    'spark-internal',
  ]
  // The token travels in the environment: all users of the machine can read arguments.
  const child = spawn('java', [...jvm, ...main], {
    cwd: options.folder,
    env: inheritedEnvironment({
      ...sparkHome(options.folder, jars),
      SPARK_LOCAL_DIRS: folder('local'),
      SPARK_CONNECT_AUTHENTICATE_TOKEN: token,
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = createWriteStream(folder('server.log'), { flags: 'a' })
  child.stdout.pipe(log)
  child.stderr.pipe(log)
  const address = `127.0.0.1:${port}`
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  await waitForServer(child, address, token, `(log: ${folder('server.log')})`)
  return {
    address,
    token,
    pid: child.pid as number,
    ended,
    stop: () => endProcess(child, 'SIGTERM'),
    kill: () => endProcess(child, 'SIGKILL'),
  }
}

function serverSettings(
  { master, folder, settings }: SparkServerOptions,
  port: number,
): Record<string, string> {
  return {
    'spark.master': master,
    'spark.connect.grpc.binding.address': '127.0.0.1',
    'spark.connect.grpc.binding.port': String(port),
    // Executors elsewhere must find the driver; for them, Spark asks the machine for its name.
    ...(master.startsWith('local')
      ? { 'spark.driver.bindAddress': '127.0.0.1', 'spark.driver.host': '127.0.0.1' }
      : {}),
    'spark.ui.enabled': 'false',
    'spark.sql.extensions': 'io.delta.sql.DeltaSparkSessionExtension',
    'spark.sql.catalog.spark_catalog': 'org.apache.spark.sql.delta.catalog.DeltaCatalog',
    'spark.sql.session.timeZone': 'UTC',
    ...(master.startsWith('local[')
      ? { 'spark.sql.shuffle.partitions': String(2 * availableParallelism()) }
      : {}),
    'spark.sql.warehouse.dir': join(folder, 'warehouse'),
    ...storageSettings(),
    ...settings,
  }
}

/** spark-submit from the pinned jars: Spark's own program behind the script of that name. */
export async function localSubmit(
  folder: string,
  memory: string,
): Promise<{ command: string; before: string[]; env: Record<string, string> }> {
  const jars = await fetchJars('spark')
  return {
    command: 'java',
    before: [
      '-XX:+UseSerialGC',
      `-Xmx${memory}`,
      ...JVM,
      '-cp',
      `${jars}/*`,
      'org.apache.spark.deploy.SparkSubmit',
    ],
    env: sparkHome(folder, jars),
  }
}

/**
 * Workers that a server starts look for jars in a Spark installation: a folder with links to our jars is
 * enough.
 */
function sparkHome(folder: string, jars: string): Record<string, string> {
  const home = join(folder, 'spark-home')
  mkdirSync(home, { recursive: true })
  rmSync(join(home, 'jars'), { force: true })
  symlinkSync(jars, join(home, 'jars'))
  // Without it, the launcher looks for folders of Spark's own build.
  return { SPARK_HOME: home, SPARK_SCALA_VERSION: '2.13' }
}

/**
 * The settings with which Spark finds the same S3 server as we do. The login stays in the environment or in
 * the files of AWS tools: Spark shows its settings to everybody who may see a job.
 */
function storageSettings(): Record<string, string> {
  const endpoint = foreignVariable('AWS_ENDPOINT_URL_S3') ?? foreignVariable('AWS_ENDPOINT_URL')
  const region = foreignVariable('AWS_REGION') ?? foreignVariable('AWS_DEFAULT_REGION')
  return {
    ...(endpoint === undefined
      ? {}
      : {
          'spark.hadoop.fs.s3a.endpoint': endpoint,
          'spark.hadoop.fs.s3a.path.style.access': 'true',
          'spark.hadoop.fs.s3a.connection.ssl.enabled': String(endpoint.startsWith('https:')),
        }),
    ...(region === undefined ? {} : { 'spark.hadoop.fs.s3a.endpoint.region': region }),
  }
}

/**
 * An open port proves little: the port of a killed server answers a moment longer. Only an answered request
 * counts.
 */
export async function waitForServer(
  child: ChildProcess,
  address: string,
  token: string,
  more = '',
): Promise<void> {
  const ask = async (): Promise<void> => {
    const session = openSparkSession({ address, tls: false, token, retryMs: 1_000 })
    try {
      await session.version()
    } finally {
      await session.close()
    }
  }
  try {
    await retry(ask, { mayPass: () => child.exitCode === null, withinMs: START_MS, firstPauseMs: 200 })
  } catch (error) {
    child.kill('SIGKILL')
    throw failure('missing_part', {
      part: 'the Spark Connect server',
      purpose: 'this run',
      reason: `${reasonOf(error)} ${more}`.trim(),
      instead: 'Free some memory, check that Java 17 is on the PATH, then try again.',
    })
  }
}
