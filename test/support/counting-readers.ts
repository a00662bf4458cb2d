/**
 * Readers that count an open table in a loop with deltalake, each in a process of its own, and say at the end
 * what they saw.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { PYTHON } from './system.ts'

export interface Counted {
  reads: number
  /** Reads whose count was not what it had to be. */
  wrong: unknown[]
  /** How many different counts were seen. */
  different: number
}

const LOOP = (check: string): string => `
import sys, json, select, deltalake, pyarrow
path, archive, seen, wrong = sys.argv[1], sys.argv[2], [], []
${check}
while not select.select([sys.stdin], [], [], 0)[0]:
    rows, want, version = count()
    if rows != want or (seen and rows < seen[-1]): wrong.append([version, rows, want])
    seen.append(rows)
    print(len(set(seen)), flush=True)
print(json.dumps({'reads': len(seen), 'wrong': wrong, 'different': len(set(seen))}))
sys.stdout.flush()
import os
os._exit(0)
`

/** Rows in the files against rows that the log states. */
const BY_FILES = `
def count():
    dt = deltalake.DeltaTable(path)
    stated = sum(pyarrow.table(dt.get_add_actions(flatten=True))['num_records'].to_pylist())
    return dt.to_pyarrow_dataset().count_rows(), stated, dt.version()
`

/**
 * Accepted rows of RAW and of the archive at the version that RAW names, against the count that RAW's commits
 * carry.
 */
const WITH_ARCHIVE = `
accepted = [('outcome', '=', 'accepted')]
def rows_of(dt):
    return dt.to_pyarrow_dataset(partitions=accepted).count_rows()
def count():
    dt = deltalake.DeltaTable(path)
    moved = dt.transaction_version('headrace/archive')
    there = 0 if moved is None else rows_of(deltalake.DeltaTable(archive, version=moved))
    return rows_of(dt) + there, dt.transaction_version('headrace/count/accepted'), dt.version()
`

export interface Readers {
  /** How many different counts each reader has seen until now. */
  different(): number[]
  /** Stops them and tells what each saw. */
  stop(): Promise<Counted[]>
}

/** Starts readers. With an archive, both tables are counted together. */
export function startReaders(count: number, path: string, archive?: string): Readers {
  const script = LOOP(archive === undefined ? BY_FILES : WITH_ARCHIVE)
  const readers = Array.from({ length: count }, () =>
    spawn(PYTHON, ['-c', script, path, archive ?? ''], { stdio: ['pipe', 'pipe', 'pipe'] }),
  )
  const different = readers.map(() => 0)
  const counted = readers.map((reader, i) => {
    let [last, errors] = ['', '']
    createInterface({ input: reader.stdout }).on('line', (line) => {
      last = line
      different[i] = Number(line) || different[i]
    })
    reader.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    return new Promise<Counted>((done, failed) =>
      reader.on('close', () =>
        last.startsWith('{')
          ? done(JSON.parse(last) as Counted)
          : failed(new Error(`a reader died: ${errors}`)),
      ),
    )
  })
  return {
    different: () => different,
    stop: () => {
      for (const reader of readers) reader.stdin.write('stop\n')
      return Promise.all(counted)
    },
  }
}
