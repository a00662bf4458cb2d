/**
 * Ranges of a topic on Spark: a table of ranges goes through a script transform, whose script is our own
 * task. Spark decides where tasks run, restarts them after failures, and returns the output of those that
 * succeeded; the files of others are never referenced. No record passes through the JVM (docs/decisions/0009
 * has the measurements).
 */
import { ERRORS, HeadraceError, failure, reasonOf, type ErrorCode } from '../../core/errors.ts'
import type { OffsetRange } from '../../core/engine.ts'
import type { DecodeRequest, DecodedRange, MessageHead, RangeEngine } from '../../core/range-engine.ts'
import { addCounts, emptyCounts } from '../../core/results.ts'
import { arrowTable } from './arrow-rows.ts'
import type { SparkSession } from './session.ts'
import { literal } from './sql.ts'

export interface RangeEngineOptions {
  session: SparkSession
  /** Shell command of a task. */
  task(work: 'heads' | 'files', request: Pick<DecodeRequest, 'poison' | 'ingestMs'>): string
  /** Reads one of the lines of heads. */
  unpackHeads(line: string): MessageHead[]
  signal: AbortSignal
}

export function createRangeEngine(options: RangeEngineOptions): RangeEngine {
  return {
    async readHeads(ranges, visit) {
      const lines = await runTasks(
        options,
        options.task('heads', { poison: [], ingestMs: 0 }),
        ranges.map((range) => ({ ...range, verdicts: [] })),
        'read the keys of messages',
      )
      // Tasks answer in any order, and a Kafka partition may be split between two.
      const heads = lines
        .flatMap((line) => options.unpackHeads(line))
        .sort((a, b) => a.partition - b.partition || a.offset - b.offset)
      for (const head of heads) visit(head)
    },
    async decode(request) {
      const byPartition = Map.groupBy(request.verdicts, (verdict) => verdict.partition)
      const tasks = request.ranges.map((range) => ({
        ...range,
        verdicts: (byPartition.get(range.partition) ?? []).filter(
          (verdict) => verdict.offset >= range.from && verdict.offset < range.until,
        ),
      }))
      const decoded: DecodedRange = {
        files: [],
        counts: emptyCounts(),
        newestMs: 0,
        discovered: [],
        tasks: 0,
      }
      for (const line of await runTasks(options, options.task('files', request), tasks, 'decode messages')) {
        const part = JSON.parse(line) as DecodedRange
        decoded.files.push(...part.files)
        addCounts(decoded.counts, part.counts)
        decoded.newestMs = Math.max(decoded.newestMs, part.newestMs)
        decoded.discovered.push(...part.discovered)
        decoded.tasks += part.tasks
      }
      return decoded
    },
    close: () => options.session.close(),
  }
}

/** No line contains this character: lines are JSON or base64. */
const SEPARATOR = '\u0001'

async function runTasks(
  options: RangeEngineOptions,
  command: string,
  tasks: (OffsetRange & object)[],
  action: string,
): Promise<string[]> {
  const form = `ROW FORMAT DELIMITED FIELDS TERMINATED BY ${literal(SEPARATOR)}`
  const query = `SELECT TRANSFORM(task) ${form} USING ${literal(command)} AS (line STRING) ${form} FROM tasks`
  const relation = {
    with_relations: {
      root: { sql: { query } },
      references: [
        {
          subquery_alias: {
            input: {
              local_relation: { data: arrowTable({ task: tasks.map((task) => JSON.stringify(task)) }) },
            },
            alias: 'tasks',
          },
        },
      ],
    },
  }
  const rows = await options.session
    .rows(relation, { action, signal: options.signal })
    .catch((error: unknown) => {
      throw taskError(error)
    })
  return rows.map((row) => String(row.line))
}

/**
 * The last error of a task, with its own code. A task without one was killed: by a message, by the system, or
 * by its memory limit.
 */
function taskError(error: unknown): unknown {
  if (!(error instanceof HeadraceError)) return error
  const reason = `${String(error.params.reason ?? '')}\n${reasonOf(error.cause)}`
  const said = /@headrace (\{.*\})/.exec(reason)
  if (said !== null) {
    const { code, params } = JSON.parse(said[1]) as { code: ErrorCode; params: Record<string, unknown> }
    return failure(code in ERRORS ? code : 'internal', params, error)
  }
  const status = /Subprocess exited with status (\d+)/.exec(reason)?.[1]
  if (status === undefined) return error
  // 127: the shell found no such command. 126: it may not run it.
  return failure(
    status === '126' || status === '127' ? 'spark_task_missing' : 'decoder_crashed',
    { reason: reason.slice(0, 300) },
    error,
  )
}
