/** One Spark Connect server for a test file, which our processes find by their environment. */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSparkSession, type SparkSession } from '../../src/engines/spark/session.ts'
import { startSparkServer, type SparkServer, type SparkServerOptions } from '../../src/main/spark-server.ts'

export interface TestSpark extends SparkServer {
  env: Record<string, string>
  session(): SparkSession
}

const running = new Set<number>()
process.on('exit', () => running.forEach((pid) => process.kill(pid, 'SIGKILL')))

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
    session: () => openSparkSession({ address: server.address, tls: false, token: server.token, retryMs: 10_000 }),
  }
}
