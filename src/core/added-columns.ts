/**
 * What statements add to the columns of a table. No column can have such a name: a source may well call a
 * field `position`, and then a name of ours would stand for its values.
 */
export const ADDED_COLUMNS = {
  /** Where a row stands among all rows of the slices. */
  position: '$position',
  /** The name of a row's table partition. */
  partitionPath: '$partition_path',
  /** Rank among the rows of a key, and how many there are. */
  nth: '$nth',
  rowsOfKey: '$rows_of_key',
  /** Where a row stands: its file, and its number there from 0. */
  file: '$file',
  row: '$row',
} as const

/** Names that the engines give to places in files by themselves, and that nothing can change. */
export const ENGINE_COLUMNS: readonly string[] = ['file_row_number', 'file_index', '_metadata']
