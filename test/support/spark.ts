/**
 * Spark Connect servers for tests, which our processes find by their environment: one that the test files of a
 * worker share, and others for those that end it or set it up in their own way.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSparkSession, type SparkSession } from '../../src/engines/spark/session.ts'
import { fetchJars, freePort } from '../../src/host/jvm-servers.ts'
import { startSparkServer, type SparkServer, type SparkServerOptions } from '../../src/host/spark-server.ts'
import { keepEnvironment } from './environment.ts'
import { SPARK_JVM } from './java.ts'
import { killAtEnd } from './at-end.ts'
import { sharedS3 } from './storage.ts'

export interface TestSpark extends SparkServer {
  env: Record<string, string>
  session(): SparkSession
}

/** Ends with the worker. */
export type SharedSpark = Omit<TestSpark, 'stop' | 'kill'>

const running = new Set<number>()
killAtEnd(running)

export async function testSpark(options: Partial<SparkServerOptions> = {}): Promise<TestSpark> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'headrace-spark-'))
  const server = await startSparkServer({ master: 'local[2]', memory: '1500m', ...options, folder })
  running.add(server.pid)
  const tokenFile = join(folder, 'token')
  writeFileSync(tokenFile, server.token)
  const ended = (end: () => Promise<void>) => async (): Promise<void> => {
    running.delete(server.pid)
    await end()
  }
  return {
    ...server,
    stop: ended(server.stop),
    kill: ended(server.kill),
    env: { HEADRACE_SPARK: server.address, HEADRACE_SPARK_TOKEN_FILE: tokenFile },
    session: () =>
      openSparkSession({ address: server.address, tls: false, token: server.token, retryMs: 10_000 }),
  }
}

let shared: Promise<SharedSpark> | undefined

/**
 * The server of this worker: starting it and warming it up costs 25 s of CPU, more than most files have it do.
 * Nobody ends it; what a file sets, it sets in sessions of its own.
 */
export function sharedSpark(): Promise<SharedSpark> {
  return (shared ??= startShared())
}

/** It finds the shared S3 server, as a server that a job starts finds the storage of the job: by what it inherits. */
async function startShared(): Promise<SharedSpark> {
  const restoreEnvironment = keepEnvironment()
  Object.assign(process.env, (await sharedS3()).env)
  try {
    return await testSpark()
  } finally {
    restoreEnvironment()
  }
}

/** A standalone cluster of one master and one worker on this machine, from the same jars. */
export async function standaloneCluster(): Promise<{ master: string; kill(): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-cluster-'))
  const jars = await fetchJars('spark')
  symlinkSync(jars, join(folder, 'jars'))
  const [port, web, workerWeb] = [await freePort(), await freePort(), await freePort()]
  const master = `spark://127.0.0.1:${port}`
  const log = openSync(join(folder, 'log'), 'a')
  const start = (main: string, args: string[]): number => {
    const child = spawn(
      'java',
      [...SPARK_JVM, '-Xmx256m', '-cp', `${jars}/*`, `org.apache.spark.deploy.${main}`, ...args],
      {
        env: { ...process.env, SPARK_HOME: folder, SPARK_SCALA_VERSION: '2.13' },
        cwd: folder,
        stdio: ['ignore', log, log],
      },
    )
    running.add(child.pid as number)
    return child.pid as number
  }
  const pids = [
    start('master.Master', ['--host', '127.0.0.1', '--port', String(port), '--webui-port', String(web)]),
    start('worker.Worker', [
      '--host',
      '127.0.0.1',
      '--webui-port',
      String(workerWeb),
      '--cores',
      '2',
      '--memory',
      '1g',
      master,
    ]),
  ]
  for (
    const end = Date.now() + 60_000;
    Date.now() < end && !readFileSync(join(folder, 'log'), 'utf8').includes('Registering worker');
  )
    await new Promise((done) => setTimeout(done, 200))
  return {
    master,
    kill() {
      for (const pid of pids) {
        running.delete(pid)
        process.kill(pid, 'SIGKILL')
      }
    },
  }
}
