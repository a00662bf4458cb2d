/**
 * The dedup window rebuilt from real files holds what the window of an uninterrupted run holds, whatever
 * offsets are missing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StageEngine } from '../../src/core/engine.ts'
import type { Dataset } from '../../src/dataset/declaration.ts'
import { openSession, type DuckSession } from '../../src/engines/duckdb/session.ts'
import { openStageEngine } from '../../src/engines/duckdb/stage.ts'
import { createDedupWindow, hashBytes, hashHigh, hashLow } from '../../src/planning/dedup-window.ts'
import { createIdentifier } from '../../src/runner/message-ids.ts'
import { rebuildWindow } from '../../src/runner/window-rebuild.ts'

const folder = mkdtempSync(join(tmpdir(), 'headrace-window-'))
let engine: StageEngine
let session: DuckSession
beforeAll(async () => {
  const options = { memoryBytes: 256 * 1024 * 1024, threads: 1, spillFolder: join(folder, 'spill') }
  engine = await openStageEngine(options)
  session = await openSession(options)
})
afterAll(async () => {
  engine.close()
  await session.close()
  rmSync(folder, { recursive: true, force: true })
})

let files = 0

type Row = [partition: number, offset: number, id: string, content: number]

/** Rows as RAW has them, those that were refused in a file of their own. */
async function written(rows: Row[], refused: Row[]): Promise<string[]> {
  const paths: string[] = []
  for (const [some, more, column] of [
    [rows, '', ''],
    [refused, ", 'id_conflict'", ', reject_rule'],
  ] as const) {
    if (some.length === 0) continue
    const path = join(folder, `${(files += 1)}.parquet`)
    const values = some.map(
      ([partition, offset, id, content]) =>
        `('T', ${partition}::INTEGER, ${offset}::BIGINT, 0::INTEGER, '${id}', ${content}::INTEGER${more})`,
    )
    const columns = `topic_id, kafka_partition, kafka_offset, ordinal, message_id, content_hash${column}`
    await session.run(
      `COPY (SELECT * FROM (VALUES ${values.join(', ')}) AS v(${columns})) TO '${path}' (FORMAT parquet)`,
    )
    paths.push(path)
  }
  return paths
}

test('rebuilt, the window says of any id what it would say without the restart', async () => {
  const messages = fc.array(
    fc.record({
      partition: fc.nat(1),
      gap: fc.constantFrom(0, 0, 0, 0, 0, 1, 3, 400),
      id: fc.oneof(fc.nat(6), fc.nat(60)),
      content: fc.nat(1),
    }),
    { maxLength: 120 },
  )
  await fc.assert(
    fc.asyncProperty(
      messages,
      fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 9, max: 40 })),
      fc.nat(2_000),
      async (sent, capacity, start) => {
        const live = [createDedupWindow(capacity), createDedupWindow(capacity)]
        const next = [start, start]
        const rows: Row[] = []
        const refused: Row[] = []
        for (const { partition, gap, id, content } of sent) {
          const offset = next[partition] + gap
          next[partition] = offset + 1
          hashBytes(Buffer.from(`id${id}`), 0, Buffer.byteLength(`id${id}`))
          const sighting = live[partition].see(hashHigh, hashLow, content)
          if (sighting !== 'duplicate')
            (sighting === 'new' ? rows : refused).push([partition, offset, `id${id}`, content])
        }
        const paths = await written(rows, refused)
        const identifier = createIdentifier({ messageId: { from: 'key' } } as Dataset, capacity)
        let readings = 0
        const filesFrom = async (): Promise<{ files: string[]; inOrder: boolean }> => ({
          files: readings++ < 40 ? paths : [],
          inOrder: false,
        })
        const positions = next.map((offset, partition) => ({ partition, next: offset, rereadUntil: 0 }))
        await rebuildWindow({ identities: engine, filesFrom, topicId: 'T', positions, capacity }, identifier)
        expect(readings).toBeLessThan(12)
        expect(identifier.windowMessages()).toBe(live[0].size + live[1].size)
        // Asking remembers what is new: the oldest are asked for first, so that nothing asked for is
        // forgotten before.
        for (const [partition, , id] of rows.toReversed()) {
          hashBytes(Buffer.from(id), 0, Buffer.byteLength(id))
          for (const content of [0, 1])
            expect(identifier.seeHash(partition, hashHigh, hashLow, content)).toBe(
              live[partition].see(hashHigh, hashLow, content),
            )
        }
      },
    ),
    { numRuns: 150 },
  )
})
