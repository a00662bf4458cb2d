/**
 * A real Kafka broker on this machine, for the demo and the tests: one node, KRaft, jars from the pinned
 * Maven manifest in deploy/jars/kafka, fetched once into HEADRACE_HOME.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { existsSync, openSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { failure } from '../core/errors.ts'
import { endProcess, fetchJars, freePort, jarFolder } from './jvm-servers.ts'
import { waitUntil } from '../core/waiting.ts'

const run = promisify(execFile)
const CLUSTER_ID = '5L6g3nShT-eMCtK--X86sw'
const START_MS = 60_000

export interface Broker {
  readonly address: string
  readonly pid: number
  /** Ends the broker as an operator would. */
  stop(): Promise<void>
  /** Kills it at once; nothing is flushed. */
  kill(): Promise<void>
}

export interface BrokerOptions {
  /** Folder of the broker's log; kept between starts unless `fresh`. */
  folder: string
  port?: number
  fresh?: boolean
  /**
   * More lines for server.properties. Our own lines start with #: `#listener=NAME`, `#advertised=HOST:PORT`,
   * `#scram=...`.
   */
  properties?: string[]
  jvmOptions?: string[]
  /** It continues when this process ends. Its output is in broker.log of its folder. */
  keep?: boolean
}

/** True if the machine has what the broker needs. */
export async function canRunBroker(): Promise<boolean> {
  if (existsSync(jarFolder('kafka'))) return hasCommand('java')
  return (await hasCommand('java')) && (await hasCommand('mvn'))
}

async function hasCommand(command: string): Promise<boolean> {
  return run('sh', ['-c', `command -v ${command}`]).then(
    () => true,
    () => false,
  )
}

export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const jars = await fetchJars('kafka')
  const port = options.port ?? (await freePort())
  const { folder } = options
  if (options.fresh) await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  const config = join(folder, 'server.properties')
  await writeFile(config, properties(folder, port, await freePort(), options.properties ?? []))
  const java = (heap: string, main: string[]): string[] => [
    `-Xmx${heap}`,
    '-XX:+UseSerialGC',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    ...(options.jvmOptions ?? []),
    '-cp',
    `${jars}/*`,
    ...main,
  ]
  if (!existsSync(join(folder, 'log', 'meta.properties')))
    await run(
      'java',
      java('128m', [
        'kafka.tools.StorageTool',
        'format',
        '-t',
        CLUSTER_ID,
        '-c',
        config,
        '--standalone',
        ...scramArguments(options),
      ]),
    )
  const file = options.keep === true ? openSync(join(folder, 'broker.log'), 'a') : undefined
  const child = spawn('java', java('384m', ['kafka.Kafka', config]), {
    stdio: ['ignore', file ?? 'pipe', file ?? 'pipe'],
    detached: options.keep === true,
  })
  const log: Buffer[] = []
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (log.length < 200 ? log.push(chunk) : undefined))
  await waitForPort(port, child, log)
  if (options.keep === true) child.unref()
  return {
    address: `127.0.0.1:${port}`,
    pid: child.pid as number,
    stop: () => endProcess(child, 'SIGTERM'),
    kill: () => endProcess(child, 'SIGKILL'),
  }
}

/** A property `scram:USER:PASSWORD` of the options becomes a credential of the new cluster. */
function scramArguments(options: BrokerOptions): string[] {
  const wanted = (options.properties ?? []).filter((line) => line.startsWith('#scram='))
  return wanted.flatMap((line) => ['--add-scram', line.slice('#scram='.length)])
}

function properties(folder: string, port: number, controller: number, more: string[]): string {
  const setting = (name: string): string | undefined =>
    more.find((line) => line.startsWith(`#${name}=`))?.slice(name.length + 2)
  const listener = setting('listener') ?? 'PLAINTEXT'
  const lines = [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.bootstrap.servers=127.0.0.1:${controller}`,
    'controller.listener.names=CONTROLLER',
    `listeners=${listener}://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    `advertised.listeners=${listener}://${setting('advertised') ?? `127.0.0.1:${port}`}`,
    `listener.security.protocol.map=CONTROLLER:PLAINTEXT,${listener}:${listener}`,
    `inter.broker.listener.name=${listener}`,
    `log.dirs=${join(folder, 'log')}`,
    'num.partitions=4',
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'transaction.state.log.num.partitions=1',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    ...more.filter((line) => !line.startsWith('#')),
  ]
  return `${lines.join('\n')}\n`
}

async function waitForPort(port: number, child: ChildProcess, log: Buffer[]): Promise<void> {
  const hasEnded = (): boolean => child.exitCode !== null
  await waitUntil(() => hasEnded() || answers(port), { everyMs: 50, withinMs: START_MS })
  if (!hasEnded() && (await answers(port))) return
  child.kill('SIGKILL')
  const reason = Buffer.concat(log)
    .toString('utf8')
    .split('\n')
    .filter((line) => /ERROR|Exception/.test(line))
    .slice(0, 3)
    .join(' | ')
  throw failure('missing_part', {
    part: 'the Kafka broker',
    purpose: 'this run',
    reason: reason || 'it did not start',
    instead: 'Free the port and some memory, then try again.',
  })
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
