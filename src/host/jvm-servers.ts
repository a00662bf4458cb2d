/** The common parts of servers that run from pinned jars: the jars, JVM flags, a port, an end. */
import { execFile, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { failure, reasonOf } from '../core/errors.ts'
import { PACKAGE_ROOT } from './package-root.ts'
import { settings } from './settings.ts'

const run = promisify(execFile)

const OPENED = [
  'java.lang',
  'java.lang.invoke',
  'java.lang.reflect',
  'java.io',
  'java.net',
  'java.nio',
  'java.util',
  'java.util.concurrent',
  'java.util.concurrent.atomic',
  'jdk.internal.ref',
  'sun.nio.ch',
  'sun.nio.cs',
  'sun.security.action',
  'sun.util.calendar',
]
/**
 * The packages that Spark needs opened on Java 17 and newer (org.apache.spark.launcher.JavaModuleOptions).
 */
export const SPARK_OPENS = OPENED.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`)

/** The folder of a part's jars, whether it exists or not. */
export function jarFolder(part: string): string {
  return join(settings().parts ?? join(PACKAGE_ROOT, '.headrace', 'parts'), part)
}

/** Fetches the jars of a part (`kafka`, `spark`, `hdfs`) once; returns their folder. */
export async function fetchJars(part: 'kafka' | 'spark' | 'hdfs'): Promise<string> {
  const folder = jarFolder(part)
  if (existsSync(join(folder, '.complete'))) return folder
  const work = `${folder}.fetching`
  await rm(work, { recursive: true, force: true })
  await mkdir(work, { recursive: true })
  await cp(join(PACKAGE_ROOT, 'deploy', 'jars', part, 'pom.xml'), join(work, 'pom.xml'))
  const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'
  try {
    await run(
      'mvn',
      [
        '-q',
        '-B',
        '-f',
        join(work, 'pom.xml'),
        plugin,
        `-DoutputDirectory=${work}`,
        '-DincludeScope=runtime',
      ],
      { maxBuffer: 1 << 26 },
    )
  } catch (error) {
    throw failure(
      'missing_part',
      {
        part: `${part} (jars)`,
        purpose: 'a real broker or engine',
        reason: reasonOf(error).split('\n')[0],
        instead: 'Install Java 17 and Maven, and check that Maven reaches its repository.',
      },
      error,
    )
  }
  await writeFile(join(work, '.complete'), '')
  await rm(folder, { recursive: true, force: true })
  await cp(work, folder, { recursive: true })
  await rm(work, { recursive: true, force: true })
  return folder
}

/** Ends a server and waits until its process is gone. */
export async function endProcess(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await ended
}

/**
 * Ports for servers, below those that systems give to outgoing connections (Linux from 32768 on, others from
 * 49152). A port from that range that is free now may belong to a connection a second later, when the server
 * has started.
 */
const SERVER_PORTS = { first: 20_000, count: 12_000 }

/** A free port: the wanted one, if it is free. */
export async function freePort(wanted?: number): Promise<number> {
  for (let tries = 1; ; tries += 1) {
    const port =
      tries === 1 && wanted !== undefined ? wanted : SERVER_PORTS.first + randomInt(SERVER_PORTS.count)
    const server = createServer()
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening')
      await new Promise((resolve) => server.close(resolve))
      return port
    } catch (error) {
      if (tries === TRIES) throw error
    }
  }
}

const TRIES = 100
