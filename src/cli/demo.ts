/** headrace demo: the whole chain on sample data. */
import type { Command } from 'commander'
import { wholeNumber } from './options.ts'
import type { Output } from './output.ts'

export interface DemoOptions {
  messages: number
  files: boolean
}

export function addDemo(program: Command, output: () => Output, run: (options: DemoOptions, out: Output) => Promise<void>): void {
  program
    .command('demo')
    .description('run the whole chain on sample data: produce, stream (killed once on purpose), publish, reconcile')
    .option('--messages <n>', 'messages to produce', wholeNumber, 50_000)
    .option('--files', 'use a folder of files even where a Kafka broker could run')
    .action((options: { messages: number; files?: boolean }) => run({ messages: options.messages, files: options.files === true }, output()))
}
