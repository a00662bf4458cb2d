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
    .description('produce sample messages (XML, books) and record the acknowledged ones in a journal')
    .option('-n, --count <n>', 'number of messages (default 10000)', wholeNumber)
    .option('--continuous', 'produce until stopped')
    .option('--rate <n>', 'messages per second; 0 means no limit', wholeNumber, 0)
    .option('--seed <n>', 'seed of a new sequence; an existing journal keeps its seed', wholeNumber, 1)
    .addOption(
      new Option('--to <place>', 'target (default: the source of the dataset)').choices(['kafka', 'files']),
    )
    .option('--folder <path>', 'folder for files (default: the folder that the dataset watches, or incoming)')
    .option('--journal <file>', 'journal file (default: HEADRACE_HOME/journals/<topic>.tsv)', '')
    .option('--partitions <n>', 'Kafka partitions, if the topic must be created', wholeNumber, 4)
    .addOption(
      new Option('--compression <codec>', 'compression of messages')
        .choices(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
        .default('none'),
    )
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
