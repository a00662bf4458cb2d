/** Spark for a job: a server started for it or an existing one, and sessions on it. */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { getCompileCacheDir } from 'node:module'
import { failure, reasonOf, storageFailure } from '../core/errors.ts'
import type { SparkSpec } from '../dataset/declaration.ts'
import { openSparkSession, type SparkSession } from '../engines/spark/session.ts'
import { SPARK_LIMITS, isSecretSetting } from '../planning/engine-support.ts'
import type { TaskSettings } from '../runner/range-task.ts'
import type { SparkAddress } from '../runner/protocol.ts'
import { homeFolder } from '../host/home-folder.ts'
import { CHILD_FLAGS } from './fork-child.ts'
import { entryOf } from '../host/package-root.ts'
import { startSparkServer } from '../host/spark-server.ts'

export interface SparkPlace extends SparkAddress {
  /** Ends the server if it was started for this job. */
  leave(): Promise<void>
}

/** How long to retry a server that does not answer. */
const RETRY_MS = 15_000

/** The server that a declaration names, or a new one. `say` reports what takes a while. */
export async function findSpark(spec: SparkSpec, say: (text: string) => void): Promise<SparkPlace> {
  if (spec.connect !== '')
    return {
      address: spec.connect,
      tls: spec.tls,
      token: await readToken(spec.tokenFile),
      leave: async () => undefined,
    }
  return ownServer(spec, say)
}

/**
 * A server for this job. If it dies, it is started again at the same address, so that sessions find it; their
 * state is lost.
 */
async function ownServer(spec: SparkSpec, say: (text: string) => void): Promise<SparkPlace> {
  const secret = Object.keys(spec.settings).find(isSecretSetting)
  if (secret !== undefined)
    throw failure('not_supported', {
      feature: `${SPARK_LIMITS.settings.what} (${secret})`,
      instead: `Use ${SPARK_LIMITS.settings.instead}.`,
    })
  say(`Starting Spark (${spec.master}) ...`)
  const options = {
    folder: join(homeFolder(), 'spark', String(process.pid)),
    master: spec.master,
    memory: spec.memory,
    settings: spec.settings,
  }
  let server = await startSparkServer(options)
  const { address, token } = server
  let leaving = false
  const watch = async (): Promise<void> => {
    await server.ended
    if (leaving) return
    say('Spark ended; starting it again ...')
    server = await startSparkServer({ ...options, token, port: Number(address.split(':')[1]) })
    if (leaving) await server.stop()
    else await watch()
  }
  // If it cannot start again, nobody answers at the address, and each session fails with that error.
  watch().catch((error: unknown) => say(reasonOf(error)))
  return {
    address,
    tls: false,
    token,
    async leave() {
      leaving = true
      await server.stop()
      await rm(options.folder, { recursive: true, force: true })
    },
  }
}

async function readToken(file: string): Promise<string | undefined> {
  if (file === '') return undefined
  const token = (
    await readFile(file, 'utf8').catch((error: unknown) => {
      throw storageFailure(error, 'read', file)
    })
  ).trim()
  // The message shows nothing of it: a wrong file may hold another secret.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw failure('spark_auth_failed', {
      address: 'its configured address',
      reason: `${file} holds no token. A token is one word of printable characters`,
    })
  return token
}

/** Settings that our plans rely on. */
const SESSION_SETTINGS: Record<string, string> = {
  'spark.sql.session.timeZone': 'UTC',
  'spark.sql.ansi.enabled': 'true',
  // Other readers treat the old form (96 bits) as another type.
  'spark.sql.parquet.outputTimestampType': 'TIMESTAMP_MICROS',
  // The tables that Spark writes for us have one log entry: fifty tasks to read it would be most of a small
  // batch.
  'spark.databricks.delta.snapshotPartitions': '1',
  'spark.databricks.delta.properties.defaults.dataSkippingNumIndexedCols': '-1',
}

/** A session with the settings that our plans rely on. */
export async function openSession(address: SparkAddress): Promise<SparkSession> {
  const session = openSparkSession({
    address: address.address,
    tls: address.tls,
    token: address.token,
    retryMs: RETRY_MS,
  })
  await session.configure(SESSION_SETTINGS)
  return session
}

const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/** The shell command of a task: that of this installation, unless the declaration names another. */
export function taskCommand(command: string, settings: TaskSettings): string {
  const packed = deflateSync(JSON.stringify(settings)).toString('base64url')
  if (command !== '') return `exec ${command} ${packed}`
  const entry = entryOf('spark-task')
  const cache = getCompileCacheDir()
  return [
    ...(cache === undefined ? [] : [`NODE_COMPILE_CACHE=${quoted(cache)}`]),
    'exec',
    quoted(process.execPath),
    '--disable-warning=ExperimentalWarning',
    ...CHILD_FLAGS,
    quoted(entry),
    packed,
  ].join(' ')
}
