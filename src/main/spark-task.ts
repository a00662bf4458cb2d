#!/usr/bin/env node
/**
 * Entry point of a task on Spark: ranges on stdin, a line each; what was found on stdout. Its one argument is
 * its settings, packed.
 */
import { rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { inflateSync } from 'node:zlib'
import { createKafkaClient } from '../connectors/kafka/client.ts'
import { createKafkaReader } from '../connectors/kafka/source.ts'
import { failure } from '../core/errors.ts'
import { armFailpoint } from '../core/failpoint.ts'
import { engineMemoryFor } from '../core/width.ts'
import { openStageEngine } from '../engines/duckdb/stage.ts'
import {
  decodeRanges,
  readHeads,
  type TaskParts,
  type TaskRange,
  type TaskSettings,
} from '../runner/range-task.ts'
import { failedMessage } from '../runner/stream-child.ts'
import { openStore } from '../operations/stores.ts'

const STDOUT = 1
const spill = join(tmpdir(), `headrace-task-${process.pid}`)

function print(line: string): void {
  const bytes = Buffer.from(`${line}\n`)
  for (let at = 0; at < bytes.length;) at += writeSync(STDOUT, bytes, at)
}

async function run(): Promise<void> {
  const settings = JSON.parse(
    inflateSync(Buffer.from(process.argv[2] ?? '', 'base64url')).toString('utf8'),
  ) as TaskSettings
  const { source } = settings.dataset
  if (source.kind !== 'kafka') throw failure('internal', { reason: 'a task reads a topic' })
  armFailpoint(settings.failpoint)
  const ranges = (await text(process.stdin))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TaskRange)
  const client = createKafkaClient(source)
  const parts: TaskParts = {
    settings,
    ranges,
    openReader: (positions, until, onTrouble) =>
      createKafkaReader({
        client,
        topic: settings.topic,
        topicId: settings.topicId,
        positions,
        until,
        onTrouble,
      }),
    openEngine: () =>
      openStageEngine({
        memoryBytes: engineMemoryFor(settings.columns.length),
        threads: 1,
        spillFolder: spill,
      }),
    store: await openStore(settings.rawPath),
  }
  if (settings.work === 'heads') for await (const block of readHeads(parts)) print(block)
  else print(JSON.stringify(await decodeRanges(parts)))
}

run()
  .then(
    () => (process.exitCode = 0),
    (error: unknown) => {
      // Spark keeps the end of this output and returns it, so an error keeps its code.
      process.stderr.write(`\n@headrace ${JSON.stringify(failedMessage(error))}\n`)
      process.exitCode = 3
    },
  )
  .finally(() => {
    rmSync(spill, { recursive: true, force: true })
    setImmediate(() => process.exit())
  })
