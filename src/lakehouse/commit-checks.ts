/**
 * What must be true of the table, and of the files in a commit, before an entry is written. Checked again
 * before every attempt.
 */
import { failure } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import type { DataFile } from '../core/table-schema.ts'
import { decodePath } from './actions.ts'
import { columnsOf, type Snapshot } from './snapshot.ts'
import type { CommitRequest } from '../core/commit-request.ts'

/** Throws the reason why the request cannot become the next entry after this state. */
export async function checkCommit(
  store: ObjectStore,
  snapshot: Snapshot,
  request: CommitRequest,
): Promise<void> {
  checkExpected(store, snapshot, request.expect)
  checkRemoves(store, snapshot, request.removes)
  if (request.dataChange !== false) checkChangeable(store, snapshot, request)
  await checkThere(store, request.adds)
}

function checkExpected(
  store: ObjectStore,
  snapshot: Snapshot,
  expect: Record<string, number | undefined>,
): void {
  for (const [mark, expected] of Object.entries(expect)) {
    const found = snapshot.marks.get(mark)
    if (found !== expected)
      throw failure('marks_moved', {
        mark,
        path: store.root,
        found: found ?? 'nothing',
        expected: expected ?? 'nothing',
      })
  }
}

/** Throws `append_only` if the table property `delta.appendOnly` forbids removing rows. */
export function checkRemovable(store: ObjectStore, { metadata }: Snapshot): void {
  if (metadata.configuration['delta.appendOnly']?.toLowerCase() === 'true')
    throw failure('append_only', { path: store.root })
}

/** A table may forbid removing rows (`delta.appendOnly`), or constrain them in Spark's own SQL. */
function checkChangeable(store: ObjectStore, snapshot: Snapshot, request: CommitRequest): void {
  if (request.removes.length > 0) checkRemovable(store, snapshot)
  if (request.adds.length === 0) return
  const bound = columnsOf(snapshot.metadata).find(
    (column) => column.metadata?.['delta.invariants'] !== undefined,
  )
  if (bound === undefined) return
  const feature = `column invariants (delta.invariants of ${bound.name}), which nothing here can check`
  throw failure('table_unsupported', { path: store.root, feature })
}

/**
 * A file that another writer removed meanwhile cannot be removed again: its rows would come back or be
 * duplicated.
 */
function checkRemoves(store: ObjectStore, snapshot: Snapshot, removes: string[]): void {
  for (const path of removes)
    if (!snapshot.files.has(path))
      throw failure('marks_moved', {
        mark: `file ${path}`,
        path: store.root,
        found: 'removed',
        expected: 'present',
      })
}

const LOOKED_AT_ONCE = 64

/**
 * A writer that waits for storage, or is stopped, for longer than the grace period of a vacuum finds its
 * files gone. A commit with such files would make the table unreadable, and its marks would claim that the
 * rows are in.
 */
async function checkThere(store: ObjectStore, adds: DataFile[]): Promise<void> {
  const placed = adds.filter((file) => file.placed)
  for (let at = 0; at < placed.length; at += LOOKED_AT_ONCE)
    await Promise.all(
      placed.slice(at, at + LOOKED_AT_ONCE).map(async ({ path }) => {
        const file = decodePath(path)
        if ((await store.stat(file)) === undefined) throw failure('files_gone', { path: store.root, file })
      }),
    )
}
