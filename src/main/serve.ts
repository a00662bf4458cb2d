/** headrace serve: one process with all roles, or some of its roles next to others on the same database. */
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createApi } from '../api/server.ts'
import type { ServeOptions, Served } from '../control/serve.ts'
import { failure, reasonOf } from '../core/errors.ts'
import { writeWhole } from '../secrets/whole-file.ts'
import { createToken, hasOperatorToken } from '../state/tenants.ts'
import { homeFolder } from '../host/home-folder.ts'
import { lockJob } from '../host/lock.ts'
import { startPostgres, type PostgresServer } from '../host/postgres-server.ts'
import { createLogger } from '../operations/telemetry.ts'
import type { Context } from '../control/context.ts'
import { openService } from '../control/open.ts'
import { startRunner } from '../control/loops/runner.ts'
import { startScheduler, type Loop } from '../control/loops/scheduler.ts'
import { ensureSelfBenchmark } from '../control/self-benchmark.ts'

type Api = Awaited<ReturnType<typeof createApi>>
type Log = (event: Record<string, unknown>) => void

/** How long open requests may take to get their answers when the service stops. */
const CLOSE_MS = 10_000

/**
 * Starts the service. Resolves when it answers requests. `stop` ends it after running executions have ended
 * or were given back.
 */
export async function serve(version: string, { roles, listen, databaseUrl }: ServeOptions): Promise<Served> {
  const home = homeFolder()
  await mkdir(home, { recursive: true })
  const unlock =
    databaseUrl === undefined ? await lockJob(home, 'serve') : async (): Promise<void> => undefined
  const logger = createLogger()
  const log: Log = ({ level, ...event }) =>
    void (level === 'error' ? logger.error(event) : logger.warn(event))
  let postgres: PostgresServer | undefined
  try {
    postgres = databaseUrl === undefined ? await startPostgres({ home }) : undefined
    const opened = await openService({
      databaseUrl: databaseUrl ?? (postgres as PostgresServer).url,
      home,
      version,
    })
    const tokenFile = await operatorToken(opened.context)
    const loops: Loop[] = []
    const api = roles.includes('api') ? await createApi({ ...opened, log }) : undefined
    const address = api === undefined ? undefined : await listenAt(api, listen, opened)
    if (roles.includes('scheduler')) loops.push(startScheduler(opened.context, log))
    const stopping = new AbortController()
    const measuring = roles.includes('scheduler')
      ? measureMachine(opened.context, log, stopping.signal)
      : undefined
    if (roles.includes('runner')) loops.push(startRunner(opened.context, log))
    const place = join(home, 'service.json')
    if (address !== undefined) await writeFile(place, JSON.stringify({ address, pid: process.pid }))
    return {
      address,
      databaseFolder: postgres?.folder,
      tokenFile,
      ended: postgres?.ended ?? new Promise<void>(() => undefined),
      async stop() {
        await rm(place, { force: true })
        // A client that does not read its answer must not delay the end.
        const cutting = setTimeout(() => api?.server.closeAllConnections(), CLOSE_MS)
        await api?.close()
        clearTimeout(cutting)
        stopping.abort()
        await measuring
        for (const loop of loops.toReversed()) await loop.stop()
        await opened.close()
        await postgres?.stop()
        await unlock()
      },
    }
  } catch (error) {
    await postgres?.stop()
    await unlock()
    throw error
  }
}

/** Returns the address. If it is not available, closes what was opened for the API. */
async function listenAt(
  api: Api,
  { host, port }: ServeOptions['listen'],
  opened: { close(): Promise<void> },
): Promise<string> {
  try {
    return await api.listen({ host, port })
  } catch (error) {
    await opened.close()
    throw (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
      ? failure('port_in_use', { port, option: '--listen' }, error)
      : error
  }
}

/** Runs in the background: until its result is known, estimates by rule do without it. */
async function measureMachine({ gate, home }: Context, log: Log, stopping: AbortSignal): Promise<void> {
  try {
    await ensureSelfBenchmark(gate.service, home, stopping)
  } catch (error) {
    if (!stopping.aborted) log({ level: 'warn', event: 'self_benchmark.failed', reason: reasonOf(error) })
  }
}

/**
 * The first operator's token, created once and stored where only the user of this installation can read it.
 */
async function operatorToken({ gate, home }: Context): Promise<string> {
  const path = join(home, 'operator.token')
  if (existsSync(path)) {
    const known = await hasOperatorToken(gate.service)
    if (known && readFileSync(path, 'utf8').startsWith('hr_')) return path
  }
  const { token } = await gate.transact((tx) =>
    createToken(tx, { tenantId: undefined, name: 'operator', role: 'operator', actor: 'installation' }),
  )
  await writeWhole(path, `${token}\n`)
  return path
}
