/** By which words readers of others may refuse a table, and when. In all else they find the rows. */
export const FEATURES = [
  'DeletionVectors',
  'ColumnMapping',
  'ChangeDataFeed',
  'AppendOnly',
  'TimestampWithoutTimezone',
] as const
export type Feature = (typeof FEATURES)[number]

/** What others have done to the table so far. */
export interface Done {
  /** Rows may only be added. */
  appendOnly: boolean
  /** Switched on; it needs more than the version of the protocol that we write. */
  feature?: Feature
}

interface Refusal {
  readers: string[]
  says: RegExp
  when(done: Done): boolean
}

const REFUSALS: Refusal[] = [
  {
    readers: ['deltalake', 'duckdb'],
    says: /reader features: \{'deletionVectors'\}/,
    when: ({ feature }) => feature === 'DeletionVectors',
  },
  {
    readers: ['daft'],
    says: /deletion vectors are not yet supported/,
    when: ({ feature }) => feature === 'DeletionVectors',
  },
  // A fault of its plans: any table with a file of which rows were deleted.
  {
    readers: ['datafusion'],
    says: /DeltaScanExec rejects node CooperativeExec during sequential deletion vector scans/,
    when: ({ feature }) => feature === 'DeletionVectors',
  },
  {
    readers: ['deltalake', 'duckdb'],
    says: /reader features: \{'columnMapping'\}/,
    when: ({ feature }) => feature === 'ColumnMapping',
  },
  {
    readers: ['polars'],
    // Spark raises the reader's version, deltalake adds a feature.
    says: /reader (features \['columnMapping'\]|version 2 \(column mapping\))/,
    when: ({ feature }) => feature === 'ColumnMapping',
  },
  // It looks for columns by id, where the mapping is by name and files of before have no ids.
  {
    readers: ['daft'],
    says: /carries no parquet field IDs/,
    when: ({ feature }) => feature === 'ColumnMapping',
  },
  // Files that deltalake writes when it merges, updates or compacts have such texts in their Arrow schema; ours never.
  { readers: ['daft'], says: /Unsupported Arrow DataType: Utf8View/, when: () => true },
  // On S3 it asks for the path as the log has it, escaped, where objects have the name that the escapes stand for.
  { readers: ['polars'], says: /Object at location \S+%\S+ not found/, when: () => true },
  // deltalake's new protocol lists the feature that it adds, and none of those that the version before implied.
  {
    readers: ['spark'],
    says: /enabled in metadata but not listed in protocol: appendOnly/,
    when: ({ appendOnly, feature }) => appendOnly && feature !== undefined,
  },
]

export function mayRefuse(reader: string, error: string, done: Done): boolean {
  return REFUSALS.some(
    ({ readers, says, when }) => readers.includes(reader) && says.test(error) && when(done),
  )
}

/**
 * polars 2.1 shows rows that a deletion vector deletes, without a word, where the path of their file has escapes: it
 * looks for the path with them in a list of paths without. We write no deletion vectors.
 */
export function mayReadDeleted(reader: string, part: string | null, { feature }: Done): boolean {
  return reader === 'polars' && feature === 'DeletionVectors' && /\W/.test(part ?? '')
}
