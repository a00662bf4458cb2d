/** Columns that a job declares of its files: names and DuckDB types, which stand in statements. */
import { failure } from '../../core/errors.ts'

function isColumnList(value: unknown): value is { name: string; type: string }[] {
  return Array.isArray(value) && value.length > 0 && value.every((one: { name?: unknown; type?: unknown }) => typeof one?.name === 'string' && typeof one.type === 'string')
}

/** A type as DuckDB names it: a word, its numbers, lists of it. It stands in statements, so that nothing else may be in it. */
const TYPE = /^[a-z][a-z0-9_]*( ?\(\d{1,3}(, ?\d{1,3})?\))?(\[\])*$/i

/** Throws `setting_missing` for what is no list of columns with types. */
export function checkColumns(columns: unknown): void {
  if (columns === undefined) return
  // A database keeps no order of an object's fields, and the order of columns matters.
  if (!isColumnList(columns)) throw failure('setting_missing', { where: 'source_config', setting: 'columns as a list of names and types', example: '"columns": [{ "name": "id", "type": "BIGINT" }]' })
  const odd = columns.find((one) => !TYPE.test(one.type))
  if (odd !== undefined) throw failure('setting_missing', { where: 'source_config', setting: `a type for column ${odd.name.slice(0, 60)} that is one, not ${odd.type.slice(0, 60)}`, example: 'BIGINT, VARCHAR, DECIMAL(12, 2), TIMESTAMP, VARCHAR[]' })
}
