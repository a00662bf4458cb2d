/**
 * Writers stopped by SIGSTOP for longer than the log keeps its entries, on each store: what they were told is
 * kept, is.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tableColumn } from '../../src/core/table-schema.ts'
import { openOrCreateTable, openTable, type Table } from '../../src/lakehouse/table.ts'
import { openStore } from '../../src/operations/stores.ts'
import { keepEnvironment } from '../support/environment.ts'
import { killAtEnd } from '../support/at-end.ts'
import { createChance, type Chance } from '../support/chance.ts'
import { startHdfs, startS3, type StorageServer } from '../support/storage.ts'
import { sleep, until } from '../support/system.ts'

/** Sleeps on each store; the long suite has more. On HDFS each takes ten seconds. */
const sleepsOn = (kind: string): number =>
  Number(process.env.HEADRACE_TEST_SLEEPS ?? (kind === 'hdfs' ? 2 : 5))
const KINDS = ['local', 's3', 'hdfs']
const SCHEMA = { columns: [tableColumn('a', 'string')], partitionColumns: [] }
/** A sleep of a moment is then longer than the log keeps its entries. */
const CLEANED_AT_ONCE = {
  'delta.logRetentionDuration': 'interval 0 seconds',
  'delta.checkpointInterval': '10',
}

const folder = mkdtempSync(join(tmpdir(), 'headrace-sleepers-'))
const servers: Record<string, StorageServer> = {}
const restoreEnvironment = keepEnvironment()
const sleepers = new Set<number>()
killAtEnd(sleepers)

beforeAll(async () => {
  ;[servers.s3, servers.hdfs] = await Promise.all([startS3(), startHdfs()])
  Object.assign(process.env, { HEADRACE_HOME: join(folder, 'home') }, servers.s3.env, servers.hdfs.env)
})

afterAll(() => {
  for (const server of Object.values(servers)) server.kill()
  restoreEnvironment()
  rmSync(folder, { recursive: true, force: true })
})

interface Sleeper {
  signal: (signal: NodeJS.Signals) => void
  kept: string[]
  refusal: () => string | undefined
}

function startSleeper(address: string, name: string, seed: number): Sleeper {
  const args = [
    '--disable-warning=ExperimentalWarning',
    resolve('test/support/sleeping-writer.ts'),
    address,
    name,
    String(seed),
  ]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const kept: string[] = []
  let refusal: string | undefined
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [outcome, detail] = line.split(' ')
    if (outcome === 'kept') kept.push(detail)
    else refusal = detail
  })
  child.once('close', () => (refusal ??= 'ended'))
  sleepers.add(child.pid as number)
  return { signal: (signal) => void child.kill(signal), kept, refusal: () => refusal }
}

/** Commits of others until the log behind them is gone. */
async function goOn(table: Table, name: string): Promise<void> {
  for (let n = 0; n < 35; n += 1) {
    const adds = [{ path: `${name}-${n}`, partitionValues: {}, size: 1, stats: '{"numRecords":1}' }]
    await table.commit({ operation: 'WRITE', adds, removes: [], marks: {}, expect: {} }, Date.now() + 60_000)
  }
}

/** One writer that sleeps once, and wakes beside nobody. */
async function sleepOnce(address: string, table: Table, name: string, chance: Chance): Promise<Sleeper> {
  const sleeper = startSleeper(address, name, Math.floor(chance() * 1_000_000))
  await until('first commits', () => (sleeper.kept.length >= 2 ? true : undefined))
  await sleep(60 * chance())
  sleeper.signal('SIGSTOP')
  await goOn(table, `beside-${name}`)
  const asleep = sleeper.kept.length
  sleeper.signal('SIGCONT')
  await until('what it does', () =>
    sleeper.refusal() !== undefined || sleeper.kept.length >= asleep + 4 ? true : undefined,
  )
  sleeper.signal('SIGKILL')
  return sleeper
}

test.each(KINDS)(
  '%s: whoever slept while the log was cleaned up was told nothing that is not so',
  async (kind) => {
    const chance = createChance()
    const address = kind === 'local' ? join(folder, 'table') : servers[kind].root('sleepers')
    const store = await openStore(address)
    const table = await openOrCreateTable(store, {
      schema: SCHEMA,
      configuration: CLEANED_AT_ONCE,
      nowMs: Date.now(),
    })
    const outcomes: string[] = []
    for (let n = 0; n < sleepsOn(kind); n += 1) {
      const sleeper = await sleepOnce(address, table, `sleeper-${n}`, chance)
      const { snapshot } = (await openTable(store)) as Table
      const lost = sleeper.kept.filter((path) => !snapshot.files.has(path))
      expect(lost, `seed ${chance.seed}, sleep ${n}`).toEqual([])
      outcomes.push(sleeper.refusal() ?? 'went on')
    }
    process.stderr.write(`${kind}, seed ${chance.seed}: ${outcomes.join(', ')}\n`)
    const files = (await openTable(store))?.snapshot.files ?? new Map()
    expect([...files.keys()].filter((path) => path.startsWith('beside-')).length).toBe(35 * sleepsOn(kind))
  },
)
