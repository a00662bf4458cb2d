/** Starts the Spark rival and talks to it, a line a job. One JVM serves all runs, so that it is warm. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { resolve } from 'node:path'
import { fetchJars } from '../../../src/host/jvm-servers.ts'
import { SPARK_JVM } from '../../support/java.ts'
import type { Run } from '../measure.ts'

export interface SparkRival {
  run(job: string): Promise<Run>
  close(): void
}

export async function startSparkRival(): Promise<SparkRival> {
  const jars = await fetchJars('spark')
  const jvm = [...SPARK_JVM.filter((flag) => !/^-X|GC$/.test(flag)), '-Xmx4g', '-XX:+UseParallelGC']
  const child = spawn(
    'java',
    [
      ...jvm,
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
      '-cp',
      `${jars}/*`,
      resolve('test/performance/rivals/SparkRival.java'),
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4000)))
  const waiting: { done: (line: string) => void; failed: (error: Error) => void }[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{')) waiting.shift()?.done(line)
  })
  child.on('exit', (code) =>
    waiting.splice(0).forEach((waiter) => waiter.failed(new Error(`Spark ended with ${code}\n${errors}`))),
  )
  const answer = (): Promise<string> => new Promise((done, failed) => waiting.push({ done, failed }))
  await answer()
  return {
    async run(job) {
      const next = answer()
      child.stdin.write(`${job}\n`)
      const { rows, wallS, cpuS } = JSON.parse(await next) as { rows: number; wallS: number; cpuS: number }
      return { wallS, cpuS, result: { accepted: rows, rows } }
    },
    close: () => child.kill('SIGKILL'),
  }
}
