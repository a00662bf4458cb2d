/** headrace demo: the whole service on sample data. */
import type { Command } from 'commander'
import { wholeNumber } from './options.ts'
import type { Output } from './output.ts'

export interface DemoOptions {
  messages: number
  files: boolean
  /** Of the service. If it is in use, another port is chosen. */
  port: number
  /** End the service and the broker that a demo left running. */
  stop: boolean
}

export function addDemo(
  program: Command,
  output: () => Output,
  run: (options: DemoOptions, out: Output) => Promise<void>,
): void {
  program
    .command('demo')
    .description(
      'run the service on sample data: buy, draft, promote, stream (killed once on purpose), publish, reconcile',
    )
    .option('--messages <n>', 'messages to produce', wholeNumber, 50_000)
    .option('--files', 'use a folder of files even if a Kafka broker could run')
    .option('--port <n>', 'port of the service; if it is in use, another port is chosen', wholeNumber, 8480)
    .option('--stop', 'stop the service and the broker of an earlier demo')
    .action((options: { messages: number; files?: boolean; port: number; stop?: boolean }) =>
      run(
        {
          messages: options.messages,
          port: options.port,
          files: options.files === true,
          stop: options.stop === true,
        },
        output(),
      ),
    )
}
