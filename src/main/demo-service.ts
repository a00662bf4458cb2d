/**
 * The servers that the demo starts and leaves running: a broker if possible, and the service. A file names
 * them, so that the next demo finds them.
 */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { failure } from '../core/errors.ts'
import { canRunBroker, startBroker } from '../host/kafka-broker.ts'
import { freePort } from '../host/jvm-servers.ts'
import { entryOf } from '../host/package-root.ts'
import { inheritedEnvironment } from '../host/settings.ts'
import { textOf } from '../host/system-file.ts'
import { waitUntil, pause } from '../core/waiting.ts'

export const ENTRY = entryOf('cli')
export const NODE_FLAGS = ['--disable-warning=ExperimentalWarning']

export interface DemoServers {
  /** Undefined: no broker could be started, or none was wanted. */
  broker: { address: string; pid: number } | undefined
  service: { address: string; pid: number }
}

const stateFile = (home: string): string => join(home, 'demo.json')
const START_MS = 90_000

/** Ends servers of an earlier demo that still run. Returns whether there were any. */
export async function stopServers(home: string): Promise<boolean> {
  const known = readState(home)
  if (known === undefined) return false
  for (const pid of [known.service.pid, known.broker?.pid]) if (pid !== undefined) await end(pid)
  rmSync(stateFile(home), { force: true })
  return true
}

export async function startServers(
  home: string,
  { files, port }: { files: boolean; port: number },
  say: (text: string) => void,
): Promise<DemoServers> {
  await stopServers(home)
  mkdirSync(home, { recursive: true })
  const withKafka = !files && (await canRunBroker())
  if (withKafka) say('Starting a Kafka broker (the first start downloads its jars) ...')
  else
    say(
      files
        ? 'Using a folder of files.'
        : 'Java or Maven is missing, so there is no Kafka broker. Using a folder of files instead.',
    )
  const broker = withKafka ? await startBroker({ folder: join(home, 'kafka'), keep: true }) : undefined
  const servers: DemoServers = {
    broker: broker === undefined ? undefined : { address: broker.address, pid: broker.pid },
    service: await startService(home, port),
  }
  writeFileSync(stateFile(home), JSON.stringify(servers))
  return servers
}

async function startService(home: string, wanted: number): Promise<DemoServers['service']> {
  const port = await freePort(wanted)
  const log = openSync(join(home, 'service.log'), 'a')
  // The demo's broker is on this machine, which tenants may not reach unless an operator allows it.
  const env = inheritedEnvironment({ HEADRACE_HOME: home, HEADRACE_ALLOW_HOSTS: '127.0.0.1,localhost' })
  const child = spawn(process.execPath, [...NODE_FLAGS, ENTRY, 'serve', '--listen', `127.0.0.1:${port}`], {
    env,
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  const address = `http://127.0.0.1:${port}`
  const isReady = async (): Promise<boolean> =>
    (await fetch(`${address}/api/v1/ready`).catch(() => undefined))?.ok === true
  await waitUntil(async () => child.exitCode !== null || (await isReady()), {
    everyMs: 100,
    withinMs: START_MS,
  })
  if (!(await isReady()))
    throw failure('service_unreachable', {
      url: address,
      reason: `it did not start: ${lastLine(join(home, 'service.log'))} (log: ${join(home, 'service.log')})`,
    })
  child.unref()
  return { address, pid: child.pid as number }
}

/** Processes of executions that a service runs. Empty if the system does not tell (no /proc). */
export async function executionPids(servicePid: number): Promise<number[]> {
  const processes = (await readdir('/proc').catch((): string[] => [])).filter((name) => /^\d+$/.test(name))
  return processes
    .map(Number)
    .filter(
      (pid) => parentOf(pid) === servicePid && textOf(`/proc/${pid}/cmdline`).includes('execution-child'),
    )
}

const parentOf = (pid: number): number =>
  Number(textOf(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ')[1])

const lastLine = (path: string): string => textOf(path).trim().split('\n').at(-1)?.slice(0, 300) ?? ''

function readState(home: string): DemoServers | undefined {
  const text = textOf(stateFile(home))
  return text === '' ? undefined : (JSON.parse(text) as DemoServers)
}

/** The signal of each tenth of a second. Signal 0 only checks whether the process exists. */
const SIGNALS: Readonly<Record<number, 'SIGTERM' | 'SIGKILL'>> = { 0: 'SIGTERM', 300: 'SIGKILL' }

/**
 * Asks a process to end, and waits. Its command identifies it: another process may have its number by now.
 */
async function end(pid: number): Promise<void> {
  const command = textOf(`/proc/${pid}/cmdline`)
  if (command !== '' && !/kafka|serve/.test(command)) return
  for (let waited = 0; waited < 400; waited += 1) {
    try {
      process.kill(pid, SIGNALS[waited] ?? 0)
    } catch {
      return
    }
    await pause(100)
  }
}
