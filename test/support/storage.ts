/**
 * Real storage servers for tests: an S3 server that honours conditional puts, and an HDFS of one name node
 * and one data node.
 */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, openSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { fetchJars, freePort } from '../../src/host/jvm-servers.ts'
import { killAtEnd } from './at-end.ts'

const VERSITYGW = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0'
const BIN = resolve('.headrace/parts/bin')

/** Builds the S3 server once, with Go. */
export async function fetchS3Server(): Promise<string> {
  const binary = join(BIN, 'versitygw')
  if (!existsSync(binary))
    await promisify(execFile)('go', ['install', '-ldflags', '-s -w', VERSITYGW], {
      env: { ...process.env, GOBIN: BIN, CGO_ENABLED: '0' },
    })
  return binary
}

export interface StorageServer {
  /** Settings with which our processes and Spark find it. */
  env: Record<string, string>
  /** A new root for tables on it. */
  root(name: string): string
  kill(): void
  /** Stops answering, and goes on. */
  pause(): void
  resume(): void
}

const running = new Set<number>()
killAtEnd(running)

function start(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
): { pid: number; kill(): void } {
  const log = openSync(join(cwd, 'server.log'), 'a')
  const child = spawn(command, args, { env, cwd, stdio: ['ignore', log, log] })
  const pid = child.pid as number
  running.add(pid)
  child.once('exit', () => running.delete(pid))
  return { pid, kill: () => void child.kill('SIGKILL') }
}

async function waitFor(what: string, asks: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 90_000; Date.now() < end; await new Promise((done) => setTimeout(done, 100)))
    if (await asks().catch(() => false)) return
  throw new Error(`${what} did not start`)
}

/** With a folder and a port of before, it is the same server again. */
export async function startS3(again: { folder?: string; port?: number } = {}): Promise<StorageServer> {
  const folder = again.folder ?? mkdtempSync(join(tmpdir(), 'headrace-s3-'))
  const port = again.port ?? (await freePort())
  // A bucket is a folder; the server makes objects plain files below it.
  mkdirSync(join(folder, 'data', 'lake'), { recursive: true })
  const keys = { access: 'testkey12', secret: 'testsecret12' }
  const server = start(
    await fetchS3Server(),
    ['--port', `127.0.0.1:${port}`, 'posix', join(folder, 'data')],
    { ...process.env, ROOT_ACCESS_KEY: keys.access, ROOT_SECRET_KEY: keys.secret },
    folder,
  )
  await waitFor('the S3 server', async () => (await fetch(`http://127.0.0.1:${port}/`)).status > 0)
  return {
    env: {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: keys.access,
      AWS_SECRET_ACCESS_KEY: keys.secret,
      AWS_REGION: 'us-east-1',
      AWS_ALLOW_HTTP: 'true',
    },
    root: (name) => `s3://lake/${name}`,
    kill: server.kill,
    pause: () => process.kill(server.pid, 'SIGSTOP'),
    resume: () => process.kill(server.pid, 'SIGCONT'),
  }
}

let sharedServer: Promise<StorageServer> | undefined

/** The S3 server of this worker: nobody ends it, and each file writes below roots of its own. */
export function sharedS3(): Promise<StorageServer> {
  return (sharedServer ??= startS3())
}

const LOCAL = '127.0.0.1'

interface HdfsPorts {
  rpc: number
  http: number
  data: number
  dataHttp: number
  dataIpc: number
}

function writeHdfsConf(folder: string, { rpc, http, data, dataHttp, dataIpc }: HdfsPorts): void {
  // The server jars hold no web pages; their HTTP server insists on the folders.
  for (const name of ['webapps/hdfs/WEB-INF', 'webapps/datanode/WEB-INF', 'webapps/static'])
    mkdirSync(join(folder, 'conf', name), { recursive: true })
  const xml = (properties: Record<string, string>): string =>
    `<configuration>${Object.entries(properties)
      .map(([name, value]) => `<property><name>${name}</name><value>${value}</value></property>`)
      .join('')}</configuration>`
  writeFileSync(
    join(folder, 'conf/core-site.xml'),
    xml({ 'fs.defaultFS': `hdfs://${LOCAL}:${rpc}`, 'hadoop.tmp.dir': join(folder, 'tmp') }),
  )
  writeFileSync(
    join(folder, 'conf/hdfs-site.xml'),
    xml({
      'dfs.replication': '1',
      'dfs.namenode.name.dir': `file://${folder}/nn`,
      'dfs.datanode.data.dir': `file://${folder}/dn`,
      'dfs.namenode.rpc-address': `${LOCAL}:${rpc}`,
      'dfs.namenode.http-address': `${LOCAL}:${http}`,
      'dfs.datanode.address': `${LOCAL}:${data}`,
      'dfs.datanode.http.address': `${LOCAL}:${dataHttp}`,
      'dfs.datanode.ipc.address': `${LOCAL}:${dataIpc}`,
      'dfs.datanode.hostname': LOCAL,
      'dfs.namenode.datanode.registration.ip-hostname-check': 'false',
      'dfs.namenode.safemode.extension': '0',
      'dfs.namenode.fs-limits.min-block-size': '1024',
      'dfs.permissions.enabled': 'true',
      // A flush of the disk for each of three steps a write would be most of a test's time.
      'dfs.namenode.edits.noeditlogchannelflush': 'true',
    }),
  )
}

export async function startHdfs(): Promise<StorageServer> {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-hdfs-'))
  const jars = await fetchJars('hdfs')
  const ports = {
    rpc: await freePort(),
    http: await freePort(),
    data: await freePort(),
    dataHttp: await freePort(),
    dataIpc: await freePort(),
  }
  const { rpc, http } = ports
  writeHdfsConf(folder, ports)
  const jvm = [
    '-XX:TieredStopAtLevel=1',
    '-XX:+UseSerialGC',
    '-Xmx192m',
    '--add-opens=java.base/java.lang=ALL-UNNAMED',
    '-cp',
    `${join(folder, 'conf')}:${jars}/*`,
  ]
  const node = 'org.apache.hadoop.hdfs.server'
  execFileSync('java', [...jvm, `${node}.namenode.NameNode`, '-format', '-nonInteractive', '-force'], {
    cwd: folder,
    stdio: 'pipe',
  })
  const servers = [`${node}.namenode.NameNode`, `${node}.datanode.DataNode`].map((main) =>
    start('java', [...jvm, main], process.env, folder),
  )
  await waitFor('HDFS', async () =>
    (
      await (
        await fetch(`http://${LOCAL}:${http}/jmx?qry=Hadoop:service=NameNode,name=FSNamesystemState`)
      ).text()
    ).includes('"NumLiveDataNodes" : 1'),
  )
  const each = (signal: NodeJS.Signals) => () => servers.forEach((server) => process.kill(server.pid, signal))
  return {
    env: { HEADRACE_WEBHDFS: `http://${LOCAL}:${http}`, HADOOP_USER_NAME: process.env.USER ?? 'root' },
    root: (name) => `hdfs://${LOCAL}:${rpc}/lake/${name}`,
    kill: each('SIGKILL'),
    pause: each('SIGSTOP'),
    resume: each('SIGCONT'),
  }
}
