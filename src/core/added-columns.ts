/**
 * Columns that statements add to those of a table. Their names start with `$`, which no declared column can
 * have: a source may call a field `position`, and an added column of that name would hide its values.
 */
export const ADDED_COLUMNS = {
  /** Position of the row among all rows of the slices. */
  position: '$position',
  /** The name of a row's table partition. */
  partitionPath: '$partition_path',
  /** Rank among the rows of a key, and the number of these rows. */
  nth: '$nth',
  rowsOfKey: '$rows_of_key',
  /** The file of a row, and the row's number in it, from 0. */
  file: '$file',
  row: '$row',
} as const

/** Names that the engines themselves give to positions in files. Nothing can change them. */
export const ENGINE_COLUMNS: readonly string[] = ['file_row_number', 'file_index', '_metadata']
