/** The process of `delta_foreign.py`: other writers and readers of a Delta table, one command at a time. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { PYTHON } from './system.ts'

/** What a reader finds of each row. */
export type Row = [id: string | null, title: string | null, part: string | null, byOther: string | null]

/** What a reader finds, or why it refuses. */
export type Found = Row[] | string

export interface ForeignAnswer {
  ok?: Record<string, unknown>
  error?: string
}

export interface ForeignWriter {
  readonly name: string
  do(op: string, path: string, args?: object): Promise<ForeignAnswer>
  stop(): void
}

export function startForeignWriter(): ForeignWriter {
  const child = spawn(PYTHON, ['test/support/delta_foreign.py'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    name: 'deltalake',
    async do(op, path, args = {}) {
      child.stdin.write(`${JSON.stringify({ op, path, args })}\n`)
      const { value, done } = await answers.next()
      if (done === true) throw new Error(`the other writer ended while it did ${op}`)
      return JSON.parse(value)
    },
    stop: () => void child.kill(),
  }
}
