/**
 * The service as a user runs it: `headrace serve` in a process of its own, with the PostgreSQL of its home.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../src/host/jvm-servers.ts'
import { atEnd } from './at-end.ts'
import { killGroup, startCli, until } from './system.ts'

export type Serving = ReturnType<typeof startCli> & { address: string }

const started = new Map<string, Serving>()

/** Kills it at the latest with the test; its PostgreSQL ends with its service, or here. */
function endWithTest(home: string): void {
  atEnd(() => killGroup(started.get(home) as Serving))
  atEnd(() => process.kill(postgresPid(home), 'SIGQUIT'))
}

/** How the CLI is run in this home. */
export function inHome(home: string): { env: NodeJS.ProcessEnv } {
  return { env: { ...process.env, HEADRACE_HOME: home, HEADRACE_LOG: 'warn' } }
}

/**
 * Starts the service (with `more` in its environment) and waits until it is ready, or killed; it and its
 * PostgreSQL end with the test at the latest.
 */
export async function startServing(
  home: string,
  port?: number,
  more: NodeJS.ProcessEnv = {},
): Promise<Serving> {
  const listen = `127.0.0.1:${port ?? (await freePort())}`
  const child = startCli(inHome(home), ['serve', '--listen', listen], more)
  const serving = Object.assign(child, { address: `http://${listen}/api/v1` })
  if (!started.has(home)) endWithTest(home)
  started.set(home, serving)
  await until(
    'the service',
    async () => {
      // One that was told to die at a failpoint may meet it before it is ready.
      if (child.signalCode !== null) return true
      if (child.exitCode !== null) throw new Error(`the service ended: ${child.errors()}`)
      return (await fetch(`${serving.address}/ready`).catch(() => undefined))?.ok === true ? true : undefined
    },
    60_000,
  )
  return serving
}

const runningPostgres = (home: string): string[] =>
  readFileSync(join(home, 'postgres', 'postmaster.pid'), 'utf8').split('\n')

export function postgresPid(home: string): number {
  return Number(runningPostgres(home)[0])
}

/** The owner's way into the database of a home: for the books, past every rule of the service. */
export function ownerUrl(home: string): string {
  return `postgres://headrace_owner:${readFileSync(join(home, 'postgres.login'), 'utf8').trim()}@127.0.0.1:${runningPostgres(home)[3].trim()}/headrace`
}
