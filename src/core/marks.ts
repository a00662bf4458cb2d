/**
 * Marks: positions in the log of a table, stored as Delta `txn` actions. Progress is recorded nowhere else.
 * Only this file builds their names.
 */

/** Mark name to position. */
export type Marks = ReadonlyMap<string, number>

const PREFIX = 'headrace'

/** The next offset to read of a Kafka partition. For a file: 1 once it was read. */
export function sourceMark(topicId: string, partition: number): string {
  return `${PREFIX}/source/${topicId}/${partition}`
}

/** The first offset that was never read before a rewind. Below it, identities are compared with RAW. */
export function rereadMark(topicId: string, partition: number): string {
  return `${PREFIX}/reread/${topicId}/${partition}`
}

/**
 * A file of a watched folder, with the folder's name as declared: a file of the same name in another folder
 * is another file. The position is 52 bits of the SHA-256 of its content.
 */
export function fileMark(folder: string, path: string): string {
  return `${PREFIX}/file-of/${encodeURIComponent(folder)}/${path}`
}

/** Whether a file was read. Marks of earlier versions do not name the folder, so they count for each. */
export function isFileRead(marks: Marks, folder: string, path: string): boolean {
  return marks.has(fileMark(folder, path)) || marks.has(`${PREFIX}/file/${path}`)
}

/** Last RAW version that a consumer has used. */
export function consumerMark(consumer: string): string {
  return `${PREFIX}/consumer/${consumer}`
}

/** The version of the archive table up to which RAW has dropped the rows that moved there. */
export function archiveMark(): string {
  return `${PREFIX}/archive`
}

/**
 * Numbers the moves of days to the archive, in RAW and in the archive. A move is finished when both have its
 * number.
 */
export function movesMark(): string {
  return `${PREFIX}/moves`
}

/**
 * Counts the deletions of rows by key in Processed. A batch that read RAW before a deletion must not commit
 * after it.
 */
export function deletionMark(): string {
  return `${PREFIX}/deletions`
}

/** First RAW version not yet published for a held partition of Processed. */
export function heldMark(partition: string): string {
  return `${PREFIX}/held/${partition}`
}

/** Running totals of records by outcome. They survive log clean-up; commit information does not. */
export function countMark(name: string): string {
  return `${PREFIX}/count/${name}`
}

export interface SourcePosition {
  topicId: string
  partition: number
  next: number
}

/** The source positions among a table's marks. */
export function sourcePositions(marks: Marks): SourcePosition[] {
  const found: SourcePosition[] = []
  for (const [name, next] of marks) {
    const match = /^headrace\/source\/(.+)\/(\d+)$/.exec(name)
    if (match !== null) found.push({ topicId: match[1], partition: Number(match[2]), next })
  }
  return found.toSorted((a, b) => a.topicId.localeCompare(b.topicId) || a.partition - b.partition)
}

/** Marks of held partitions: partition name to RAW version. */
export function heldPartitions(marks: Marks): Map<string, number> {
  const prefix = heldMark('')
  return new Map(
    [...marks]
      .filter(([name, version]) => name.startsWith(prefix) && version >= 0)
      .map(([name, version]) => [name.slice(prefix.length), version]),
  )
}

/** Prefix of the mark that holds a table partition because an operator asked for it: 1 while held. */
export const OPERATOR_HOLD = 'headrace/hold/'
