/**
 * Writes rows of a Parquet file as lines of JSON that the zones read back as the same values, and rejected
 * rows as lines that no decoder accepts.
 */
import type { DuckSession } from '../engines/duckdb/session.ts'
import { literal, name, parquetRows } from '../engines/duckdb/sql.ts'

/** Unchanged lines: JSON output never contains this character. */
const AS_LINES = "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\u0001')"
const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL\(.*\))$/

/**
 * Numbers keep their digits and never pass through a double; times are ISO 8601, bytes base64. `numberTexts`:
 * text columns whose values are numbers, except NaN and infinity.
 */
export async function rowsAsLines(
  session: DuckSession,
  from: string,
  to: string,
  numberTexts: string[] = [],
): Promise<void> {
  const source = `${parquetRows([from])}`
  const columns = await session.objects(`DESCRIBE SELECT * FROM ${source}`)
  const fields = columns.map(({ column_name: column, column_type: type }, i) => {
    const key = literal(`${i === 0 ? '' : ','}${JSON.stringify(String(column))}:`)
    const value = jsonOf(name(String(column)), String(type), numberTexts.includes(String(column)))
    return `${key} || coalesce(${value}, 'null')`
  })
  await session.run(
    `COPY (SELECT '{' || ${fields.join(' || ')} || '}' FROM ${source}) TO ${literal(to)} ${AS_LINES}`,
  )
}

function jsonOf(id: string, type: string, isNumberText: boolean): string {
  const text = `CAST(${id} AS VARCHAR)`
  if (isNumberText)
    return `CASE WHEN ${id} IN ('NaN', 'Infinity', '-Infinity') THEN '"' || ${id} || '"' ELSE ${id} END`
  if (NUMBER.test(type)) return text
  if (type === 'FLOAT' || type === 'DOUBLE')
    return `CASE WHEN isfinite(${id}) THEN ${text} ELSE '"' || ${text} || '"' END`
  if (type === 'TIMESTAMP WITH TIME ZONE')
    return `'"' || strftime(${id} AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ') || '"'`
  if (type.startsWith('TIMESTAMP')) return `'"' || strftime(${id}, '%Y-%m-%dT%H:%M:%S.%f') || '"'`
  return `CAST(to_json(${type === 'BLOB' ? `base64(${id})` : id}) AS VARCHAR)`
}

/**
 * Writes each rejected row as a line that no decoder accepts as a record: it is quarantined, with the reason
 * and the row.
 */
export async function rejectsAsLines(session: DuckSession, from: string, to: string): Promise<void> {
  const rejectText = "concat_ws(' ', rule, column_name, error_message) || ': ' || original"
  const line = `regexp_replace(replace(${rejectText}, chr(1), ' '), '[\r\n]+', ' ', 'g')`
  await session.run(`COPY (SELECT ${line} FROM ${parquetRows([from])}) TO ${literal(to)} ${AS_LINES}`)
}
