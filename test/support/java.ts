/** Runs a single-file Java program of test/support/java against fetched jars. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { SPARK_OPENS, fetchJars } from '../../src/host/jvm-servers.ts'

/** What Spark needs opened on Java 17 and newer, and a bounded heap. */
export const SPARK_JVM = [
  '-Xmx1500m',
  '-XX:+UseSerialGC',
  ...SPARK_OPENS,
  '-Djdk.reflect.useDirectMethodHandle=false',
]

const run = promisify(execFile)

export async function java(
  part: 'kafka' | 'spark',
  program: string,
  args: string[],
  jvm: string[] = [],
): Promise<string> {
  const jars = await fetchJars(part)
  const { stdout } = await run(
    'java',
    [
      ...jvm,
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      '-cp',
      `${jars}/*`,
      `test/support/java/${program}.java`,
      ...args,
    ],
    { maxBuffer: 1 << 28 },
  )
  return stdout.trim()
}
