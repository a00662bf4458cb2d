/**
 * Decides whether the first line of a CSV sample has names or values: the types of the columns below prove
 * it.
 */

export type HeaderVerdict = 'header' | 'data' | 'unsure'

const NUMBER = /^[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?%?$/
const TEMPORAL = /^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?$|^\d{1,2}:\d{2}(:\d{2})?$/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const WORD = /^(true|false|null|nan|na)$/i
const SEARCHED = 1_000

type Kind = 'number' | 'temporal' | 'uuid' | 'word' | 'text'

export function judgeHeader(first: (string | undefined)[], below: (string | undefined)[][]): HeaderVerdict {
  const rows = below.slice(0, SEARCHED)
  if (rows.length === 0 || areNames(first))
    return first.every((field) => kindOf(field) === 'text' || field === undefined) || areNames(first)
      ? 'header'
      : 'data'
  let fits = 0
  for (const [i, field] of first.entries()) {
    const kinds = new Set(rows.filter((row) => (row[i] ?? '').trim() !== '').map((row) => kindOf(row[i])))
    if (kinds.size !== 1 || kinds.has('text') || kinds.has('word')) continue
    if (field === undefined || field.trim() === '') continue
    if (!kinds.has(kindOf(field))) return 'header'
    fits += 1
  }
  if (fits > 0) return 'data'
  // All fields are text: a value that occurs again below its own field is no name.
  const again = first.some(
    (field, i) => field !== undefined && field !== '' && rows.some((row) => row[i] === field),
  )
  return again ? 'data' : 'unsure'
}

function kindOf(field: string | undefined): Kind {
  const text = (field ?? '').trim()
  if (NUMBER.test(text)) return 'number'
  if (TEMPORAL.test(text)) return 'temporal'
  if (UUID.test(text)) return 'uuid'
  return WORD.test(text) ? 'word' : 'text'
}

/** Numbers that are names: years in a row after other names, or 0, 1, 2 after the empty name of an index. */
function areNames(first: (string | undefined)[]): boolean {
  const numbers = first.filter((field) => kindOf(field) === 'number').map(Number)
  if (numbers.length < 2 || numbers.length === first.length) return false
  const inRow = numbers.every((value, i) => i === 0 || value === numbers[i - 1] + 1)
  return (
    inRow &&
    (numbers.every((value) => value >= 1500 && value <= 2200) || (first[0] === undefined && numbers[0] === 0))
  )
}
