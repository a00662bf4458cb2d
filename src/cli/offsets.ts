/** headrace offsets: shows the position of a stream, and moves it. */
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
  const offsets = program.command('offsets').description('show or move the position of a stream')
  offsets
    .command('show <dataset>')
    .description('show position and lag (records, seconds) of each Kafka partition')
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
      .option(
        '--to-time <time>',
        'start at the first message of this time or later, e.g. 2026-11-21T08:00:00Z',
      )
      .option('--dry-run', 'show what would change, but change nothing')
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
        'skipped permanently': skipped,
      })),
    )
    out.say(
      change.committed
        ? `Committed as version ${change.version}. Rows already in RAW are not duplicated.`
        : 'Dry run: nothing was changed.',
    )
  }
  move('set', 'set the next offset to read, backward or forward')
    .option('--new-topic', 'accept a recreated topic and read it from the beginning')
    .action(act(false))
  move('rewind', 'read a range again; rows already in RAW are not duplicated').action(act(true))
}
