/** headrace batch: publish new rows of RAW, once or on the dataset's schedule. */
import type { Command } from 'commander'
import type { App } from '../operations/app.ts'
import {
  CONNECT,
  MASTER,
  engineChoice,
  engineOption,
  memoryOption,
  repeatable,
  stopSignal,
  type EngineFlags,
} from './options.ts'
import { printError, type Output } from './output.ts'
import { bytesText } from '../core/bytes-text.ts'

interface Flags extends EngineFlags {
  memory: number
  dryRun?: boolean
  schedule?: boolean
  hold: string[]
  release: string[]
}

export function addBatch(program: Command, app: App, output: () => Output): void {
  program
    .command('batch <dataset>')
    .description('publish new RAW rows to Processed: deduplicated by key, partitioned, in one commit')
    .addOption(memoryOption())
    .option('--dry-run', 'show what would be read, but write nothing')
    .addOption(engineOption())
    .option('--master <url>', MASTER)
    .option('--connect <host:port>', CONNECT)
    .option('--schedule', "keep running, on the dataset's cron schedule (processed.schedule)")
    .addOption(
      repeatable('--hold <partition>', 'hold back a table partition, e.g. publication_year=2010', 'none'),
    )
    .addOption(repeatable('--release <partition>', 'publish a held table partition', 'none'))
    .addHelpText(
      'after',
      '\nExamples:\n  headrace batch books\n  headrace batch books --hold publication_year=2010\n  headrace batch books --schedule',
    )
    .action(async (dataset: string, flags: Flags) => {
      if (flags.schedule) await onSchedule(dataset, flags, app, output())
      else await runOnce(dataset, flags, app, output())
    })
}

async function runOnce(dataset: string, flags: Flags, app: App, out: Output): Promise<void> {
  const results = await app.batch(dataset, {
    engine: engineChoice(flags),
    memoryBytes: flags.memory,
    dryRun: flags.dryRun === true,
    hold: flags.hold,
    release: flags.release,
    say: out.progress,
  })
  for (const result of results) {
    const { partitions, held, bytes, ...facts } = result
    out.object({
      ...facts,
      bytes: out.format === 'json' ? bytes : bytesText(bytes),
      partitions: out.format === 'json' ? partitions : Object.keys(partitions).length,
      held,
    })
  }
}

async function onSchedule(dataset: string, flags: Flags, app: App, out: Output): Promise<void> {
  await app.atTicks(dataset, 'processed', {
    signal: stopSignal(),
    begun: (schedule) => out.say(`The batch of ${dataset} runs on ${schedule}. Stop with Ctrl-C.`),
    // A batch that fails reports why; the next tick tries again.
    action: () =>
      runOnce(dataset, { ...flags, hold: [], release: [] }, app, out).catch(
        (error: unknown) => void printError(error, out.format),
      ),
  })
}
