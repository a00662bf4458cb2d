/** Reads of tables in parts that break off in the middle. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { Work } from '../../src/executions/work.ts'
import type { Link } from './link.ts'
import { until } from './system.ts'
import { runWork } from './transfers.ts'

/** Runs over a slow link until five parts are kept, then cuts it. */
export async function breakAfterParts(work: Work, over: Link): Promise<void> {
  over.limit(1_000_000)
  const running = runWork(work)
  const ended = expect(running).rejects.toMatchObject({ code: 'source_unreachable' })
  const kept = (): number =>
    readFileSync(join(work.workFolder, 'parts', 'journal.ndjson'), 'utf8').split('\n').length - 2
  await until('five parts', () =>
    existsSync(join(work.workFolder, 'parts', 'journal.ndjson')) && kept() >= 5 ? true : undefined,
  )
  over.cut()
  await ended
  over.limit(Infinity)
}
