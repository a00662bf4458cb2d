/** headrace offsets: where a stream stands, and moving it. */
import type { Command } from 'commander'
import type { App, OffsetsRequest } from '../operations/app.ts'
import { failure } from '../core/errors.ts'
import { wholeNumber } from './options.ts'
import type { Output } from './output.ts'

interface Flags {
  partition?: number
  toOffset?: number
  toTime?: string
  newTopic?: boolean
  dryRun?: boolean
}

export function addOffsets(program: Command, app: App, output: () => Output): void {
  const offsets = program.command('offsets').description('show and move the position of a stream')
  offsets
    .command('show <dataset>')
    .description('position, lag in records and seconds, per Kafka partition')
    .action(async (dataset: string) => {
      const out = output()
      const info = await app.offsets(dataset)
      if (out.format === 'json') out.object({ ...info })
      else out.rows(info.partitions)
    })
  const move = (name: 'set' | 'rewind', description: string): Command =>
    offsets
      .command(`${name} <dataset>`)
      .description(description)
      .option('--partition <n>', 'only this Kafka partition', wholeNumber)
      .option('--to-offset <n>', 'next offset to read', wholeNumber)
      .option('--to-time <time>', 'first message not older than this, e.g. 2026-11-21T08:00:00Z')
      .option('--dry-run', 'only say what it would do')
  const act = (rewindOnly: boolean) => async (dataset: string, flags: Flags) => {
    if (flags.toOffset === undefined && flags.toTime === undefined && !flags.newTopic)
      throw failure('usage', { reason: 'Give the new position with --to-offset or --to-time' })
    const request: OffsetsRequest = {
      partition: flags.partition,
      toOffset: flags.toOffset,
      toTime: flags.toTime,
      newTopic: flags.newTopic === true,
      dryRun: flags.dryRun === true,
      rewindOnly,
    }
    const change = await app.setOffsets(dataset, request)
    const out = output()
    if (out.format === 'json') return out.object({ ...change })
    out.rows(
      change.changes.map(({ partition, from, to, reread, skipped }) => ({
        partition,
        from,
        to,
        'read again': reread,
        'skipped for ever': skipped,
      })),
    )
    out.say(
      change.committed
        ? `Committed as version ${change.version}. Rows that are in RAW already will not double.`
        : 'Dry run: nothing was changed.',
    )
  }
  move('set', 'set the next offset, back or forward')
    .option('--new-topic', 'accept a recreated topic and start it from its beginning')
    .action(act(false))
  move('rewind', 'read a range again; identities already in RAW never double').action(act(true))
}
