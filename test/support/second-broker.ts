/** A second broker beside one of ours, without a controller: it can die while the cluster lives. */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Admin } from '@platformatic/kafka'
import { fetchJars, freePort } from '../../src/host/jvm-servers.ts'
import { killAtEnd } from './at-end.ts'
import { until } from './system.ts'

const running = new Set<number>()
killAtEnd(running)

export interface SecondBroker {
  address: string
  pause(): void
  resume(): void
  kill(): void
}

/** `first`: the folder of the broker that has the controller. */
export async function joinBroker(first: string, folder: string): Promise<SecondBroker> {
  const jars = await fetchJars('kafka')
  const port = await freePort()
  mkdirSync(folder, { recursive: true })
  const lines = readFileSync(join(first, 'server.properties'), 'utf8').split('\n')
  const own: Record<string, string> = {
    'process.roles': 'broker',
    'node.id': '2',
    listeners: `PLAINTEXT://127.0.0.1:${port}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'log.dirs': join(folder, 'log'),
  }
  const kept = lines.filter((line) => !(line.split('=')[0] in own))
  const config = join(folder, 'server.properties')
  writeFileSync(
    config,
    [...kept, ...Object.entries(own).map(([name, value]) => `${name}=${value}`)].join('\n'),
  )
  const meta = readFileSync(join(first, 'log', 'meta.properties'), 'utf8')
  const cluster = /cluster\.id=(\S+)/.exec(meta)?.[1] ?? ''
  const java = [
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
    '-cp',
    `${jars}/*`,
  ]
  const format = [
    'kafka.tools.StorageTool',
    'format',
    '-t',
    cluster,
    '-c',
    config,
    '--no-initial-controllers',
  ]
  execFileSync('java', ['-Xmx128m', ...java, ...format], { stdio: 'pipe' })
  const child = spawn('java', ['-Xmx256m', ...java, 'kafka.Kafka', config], { stdio: 'ignore' })
  const pid = child.pid as number
  running.add(pid)
  child.once('exit', () => running.delete(pid))
  await until('the second broker', () => isOpen(port))
  const signal = (name: NodeJS.Signals) => () => void process.kill(pid, name)
  return {
    address: `127.0.0.1:${port}`,
    pause: signal('SIGSTOP'),
    resume: signal('SIGCONT'),
    kill: signal('SIGKILL'),
  }
}

function isOpen(port: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(undefined))
  })
}

/** A topic whose partitions lie on the brokers that are named, one copy of each. */
export async function createTopicOn(address: string, topic: string, nodes: number[]): Promise<void> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [address] })
  const assignments = nodes.map((node, partition) => ({ partition, brokers: [node] }))
  await admin.createTopics({ topics: [topic], assignments })
  await admin.close()
}
