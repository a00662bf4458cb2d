/** headrace stream: run a stream job. */
import type { Command } from 'commander'
import type { App } from '../operations/app.ts'
import type { CommitEvent } from '../core/results.ts'
import {
  CONNECT,
  MASTER,
  engineChoice,
  engineOption,
  stopSignal,
  wholeNumber,
  type EngineFlags,
} from './options.ts'
import type { Output } from './output.ts'
import { bytesText } from '../core/bytes-text.ts'

export function addStream(program: Command, app: App, output: () => Output): void {
  program
    .command('stream <dataset>')
    .description('read the source into RAW, exactly once, until stopped (SIGTERM stops after a commit)')
    .option('--until-caught-up', 'stop when everything present at the start is committed')
    .option('--metrics-port <port>', 'serve Prometheus metrics on 127.0.0.1:<port>/metrics', wholeNumber)
    .option('--dry-run', 'show position and lag, but read nothing')
    .addOption(engineOption())
    .option('--master <url>', MASTER)
    .option('--connect <host:port>', CONNECT)
    .addHelpText(
      'after',
      '\nExamples:\n  headrace stream books --until-caught-up\n  headrace stream datasets/books.yaml --metrics-port 9464',
    )
    .action(
      async (
        dataset: string,
        flags: EngineFlags & { untilCaughtUp?: boolean; metricsPort?: number; dryRun?: boolean },
      ) => {
        const out = output()
        if (flags.dryRun) {
          const { partitions } = await app.offsets(dataset)
          out.rows(partitions)
          return
        }
        let messages = 0
        const started = Date.now()
        const summary = await app.stream(dataset, {
          engine: engineChoice(flags),
          untilCaughtUp: flags.untilCaughtUp === true,
          metricsPort: flags.metricsPort,
          signal: stopSignal(),
          say: out.note,
          onCommit(event) {
            messages += event.counts.messages
            out.progress(commitText(event, messages, (Date.now() - started) / 1000))
          },
        })
        out.object({
          version: summary.version,
          commits: summary.commits,
          messages: summary.counts.messages,
          read: summary.counts.read,
          accepted: summary.counts.accepted,
          duplicate: summary.counts.duplicate,
          quarantined: summary.counts.quarantined,
          byReason: summary.counts.byReason,
        })
      },
    )
}

function commitText(event: CommitEvent, messages: number, seconds: number): string {
  const grouped = (count: number): string => count.toLocaleString('en-US')
  const { accepted, duplicate, quarantined } = event.counts
  const parts = [
    `${grouped(accepted)} accepted`,
    `${duplicate} duplicate`,
    `${quarantined} quarantined`,
    `${event.files} files`,
    bytesText(event.bytes),
  ]
  const rate = grouped(Math.round(messages / Math.max(seconds, 0.001)))
  return `version ${event.version}: ${parts.join(', ')} (${grouped(messages)} messages, ${rate}/s)`
}
