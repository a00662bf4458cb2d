/** headrace produce: sample messages to a topic or a folder. */
import { Option, type Command } from 'commander'
import type { App } from '../operations/app.ts'
import {
  CONNECT,
  MASTER,
  engineChoice,
  engineOption,
  share,
  stopSignal,
  wholeNumber,
  type EngineFlags,
} from './options.ts'
import type { Output } from './output.ts'

interface Flags extends EngineFlags {
  count?: number
  continuous?: boolean
  rate: number
  seed: number
  to?: 'kafka' | 'files'
  folder?: string
  journal: string
  partitions: number
  compression: string
  duplicates: number
  malformed: number
  late: number
  invalid: number
}

export function addProduce(program: Command, app: App, output: () => Output): void {
  program
    .command('produce [dataset]')
    .description('send sample messages (XML libraries of books), keep a journal of what was acknowledged')
    .option('-n, --count <n>', 'how many messages (default 10000)', wholeNumber)
    .option('--continuous', 'go on until stopped')
    .option('--rate <n>', 'messages a second; 0 is flat out', wholeNumber, 0)
    .option(
      '--seed <n>',
      'seed of a new sequence; a journal that exists goes on with its own',
      wholeNumber,
      1,
    )
    .addOption(
      new Option('--to <place>', 'where to (default: what the dataset reads)').choices(['kafka', 'files']),
    )
    .option('--folder <path>', 'folder for files (default: the one the dataset watches, else incoming)')
    .option('--journal <file>', 'journal file (default: HEADRACE_HOME/journals/<topic>.tsv)', '')
    .option('--partitions <n>', 'Kafka partitions of a topic that has to be created', wholeNumber, 4)
    .option('--compression <codec>', 'none, gzip, snappy, lz4 or zstd', 'none')
    .option('--duplicates <share>', 'share of messages sent again', share, 0.02)
    .option('--malformed <share>', 'share of broken XML', share, 0.003)
    .option('--late <share>', 'share with an old timestamp', share, 0.01)
    .option('--invalid <share>', 'share with one wrong value', share, 0.005)
    .addOption(engineOption())
    .option('--master <url>', MASTER)
    .option('--connect <host:port>', CONNECT)
    .addHelpText(
      'after',
      '\nExamples:\n  headrace produce books --count 100000\n  headrace produce books --continuous --rate 500\n  headrace produce books --to files --folder incoming --count 200',
    )
    .action(async (dataset: string | undefined, flags: Flags) => {
      const out = output()
      const { duplicates, malformed, late, invalid } = flags
      const summary = await app.produce({
        engine: engineChoice(flags),
        dataset: dataset ?? 'books',
        to: flags.to,
        folder: flags.folder,
        count: flags.continuous ? Infinity : (flags.count ?? 10_000),
        ratePerSecond: flags.rate,
        seed: flags.seed,
        journal: flags.journal,
        partitions: flags.partitions,
        compression: flags.compression,
        shares: { duplicates, malformed, late, invalid },
        signal: stopSignal(),
        say: out.say,
        progress: (sent) => out.progress(`${sent.toLocaleString('en-US')} messages acknowledged`),
      })
      out.object(summary)
    })
}
