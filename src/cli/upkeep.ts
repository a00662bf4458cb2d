/**
 * headrace upkeep, and its parts as single commands: compact, retain, vacuum, delete, reprocess. All are safe
 * next to running jobs and readers.
 */
import { readFileSync } from 'node:fs'
import { InvalidArgumentError, type Command } from 'commander'
import type { App, UpkeepOptions } from '../operations/app.ts'
import {
  CONNECT,
  MASTER,
  day,
  duration,
  engineChoice,
  engineOption,
  memoryOption,
  stopSignal,
  type EngineFlags,
} from './options.ts'
import { printError, type Output } from './output.ts'
import { bytesText } from '../core/bytes-text.ts'

interface Flags extends EngineFlags {
  memory: number
  dryRun?: boolean
  keepFrom?: string
  grace?: number
}

/** What the commands of upkeep share. */
interface Desk {
  app: App
  output: () => Output
  verb: (name: string, description: string) => Command
  options: (flags: Flags) => UpkeepOptions
}

export function addUpkeep(program: Command, app: App, output: () => Output): void {
  const verb = (name: string, description: string): Command =>
    program
      .command(`${name} <dataset>`)
      .description(description)
      .option('--dry-run', 'show files, rows and bytes, but change nothing')
      .addOption(memoryOption())
      .addOption(engineOption())
      .option('--master <url>', MASTER)
      .option('--connect <host:port>', CONNECT)
  const options = (flags: Flags): UpkeepOptions => ({
    engine: engineChoice(flags),
    memoryBytes: flags.memory,
    dryRun: flags.dryRun === true,
    keepFrom: flags.keepFrom,
    graceMs: flags.grace,
    say: output().progress,
  })
  const desk = { app, output, verb, options }
  addCompact(desk)
  addRetain(desk)
  addVacuum(desk)
  addDelete(desk)
  addReprocess(desk)
  addAll(desk)
}

const KEEP = ['--keep-from <day>', 'first day of ingest to keep, instead of raw.retention_days'] as const
const GRACE = [
  '--grace <time>',
  'how long to keep replaced files, e.g. 24h, instead of upkeep.grace_hours; must be longer than the longest read',
] as const

function addCompact({ app, output, verb, options }: Desk): void {
  verb(
    'compact',
    'merge small files of RAW and Processed, and move files of older layouts; readers see the same rows',
  ).action(async (dataset: string, flags: Flags) =>
    showResults(output(), await app.compact(dataset, options(flags))),
  )
}

function addRetain({ app, output, verb, options }: Desk): void {
  verb('retain', 'archive or delete days older than raw.retention_days, once the batch has read them')
    .option(...KEEP, day)
    .action(async (dataset: string, flags: Flags) =>
      showResults(output(), [await app.retain(dataset, options(flags))]),
    )
}

function addVacuum({ app, output, verb, options }: Desk): void {
  verb('vacuum', 'delete files that no version, reader or consumer needs')
    .option(...GRACE, duration)
    .action(async (dataset: string, flags: Flags) =>
      showResults(output(), await app.vacuum(dataset, options(flags))),
    )
}

interface DeleteFlags extends Flags {
  key: Record<string, string>[]
  keysFile?: string
  reason: string
}

function addDelete({ app, output, verb, options }: Desk): void {
  verb('delete', 'delete rows by key from RAW (also quarantined ones), Processed and the archive')
    .option(
      '--key <column=value>',
      'key of a record, e.g. record_id=8f0c...; separate several columns with commas (repeatable)',
      keyOption,
      [],
    )
    .option('--keys-file <path>', 'file with one JSON object per line: {"record_id":"8f0c..."}')
    .option('--reason <text>', 'reason, stored in the logs of the tables', 'not given')
    .addHelpText(
      'after',
      '\nThe log stores the reason and the SHA-256 of each key. The bytes stay on disk until vacuum runs after upkeep.grace_hours.',
    )
    .action(async (dataset: string, flags: DeleteFlags) => {
      const keys = [...flags.key, ...(flags.keysFile === undefined ? [] : keysOfFile(flags.keysFile))]
      showResults(output(), await app.deleteRows(dataset, { ...options(flags), keys, reason: flags.reason }))
    })
}

function addReprocess({ app, output, verb, options }: Desk): void {
  verb(
    'reprocess',
    'decode kept messages again with the current declaration, and publish the changes (needs raw.keep_original)',
  )
    .option('--from <day>', 'first day of ingest', day)
    .option('--to <day>', 'last day of ingest', day)
    .action(async (dataset: string, flags: Flags & { from?: string; to?: string }) =>
      showResults(output(), [
        await app.reprocess(dataset, { ...options(flags), from: flags.from, to: flags.to }),
      ]),
    )
}

/** `headrace upkeep`: the steps that can run unattended, one after the other. */
function addAll(desk: Desk): void {
  const { app, output, verb } = desk
  verb('upkeep', 'run compact, retain and vacuum, once or on upkeep.schedule')
    .option(...KEEP, day)
    .option(...GRACE, duration)
    .option('--schedule', 'keep running, on the schedule (upkeep.schedule)')
    .action(async (dataset: string, flags: Flags & { schedule?: boolean }) => {
      if (!flags.schedule) return runAll(desk, dataset, flags)
      await app.atTicks(dataset, 'upkeep', {
        signal: stopSignal(),
        begun: (schedule) => output().say(`Upkeep of ${dataset} runs on ${schedule}. Stop with Ctrl-C.`),
        action: () =>
          runAll(desk, dataset, flags).catch((error: unknown) => void printError(error, output().format)),
      })
    })
}

async function runAll({ app, output, options }: Desk, dataset: string, flags: Flags): Promise<void> {
  const out = output()
  const done = {
    compact: await app.compact(dataset, options(flags)),
    retain: await app.retain(dataset, options(flags)),
    vacuum: await app.vacuum(dataset, options(flags)),
  }
  if (out.format === 'json') return out.object(done)
  for (const [step, results] of Object.entries(done)) {
    out.text(`${step}:`)
    showResults(out, [results].flat())
  }
}

function showResults(out: Output, results: object[]): void {
  const readable = (value: object): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries(value).map(([name, item]) => [
        name,
        name.startsWith('bytes') ? bytesText(Number(item)) : item,
      ]),
    )
  if (out.format === 'json') out.rows(results as Record<string, unknown>[])
  else out.rows(results.map(readable))
}

function keyOption(text: string, before: Record<string, string>[]): Record<string, string>[] {
  const parts = text
    .split(',')
    .map((part) => [part.slice(0, Math.max(0, part.indexOf('='))), part.slice(part.indexOf('=') + 1)])
  if (parts.some(([column]) => column === ''))
    throw new InvalidArgumentError('It must be column=value. Put values with commas into --keys-file.')
  return [...before, Object.fromEntries(parts) as Record<string, string>]
}

function keysOfFile(path: string): Record<string, string>[] {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
  return lines.map((line) =>
    Object.fromEntries(
      Object.entries(JSON.parse(line) as Record<string, unknown>).map(([column, value]) => [
        column,
        String(value),
      ]),
    ),
  )
}
