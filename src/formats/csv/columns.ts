/** Matches the fields of a line to declared columns, by the names of the header. */

export interface ColumnNames {
  /**
   * As in the declaration: a name of the header, or `#n` for the n-th field if it has no name or shares it.
   */
  paths: string[]
  /** Columns that a file must have. */
  required: string[]
  /** Names to skip without a finding. `*` for all unknown ones. */
  ignore: string[]
}

export interface FieldMap {
  /** The field of each declared column. -1: the file has none for it. */
  fieldOf: Int32Array
  /** Fields that are neither declared nor ignored. */
  unknown: number[]
  /** The address of each field: its name, or `#n` if it has none or shares it. */
  paths: string[]
}

/**
 * How a declaration addresses each field: by name, or by position if it has no name or shares it. There is
 * one address for each: the position of a named field would be another field in a file with other columns.
 */
export function addressesOf(names: readonly string[]): string[] {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return names.map((name, i) => {
    if (name !== '' && counts.get(name) === 1) return name
    let address = `#${i + 1}`
    // Another field has this name.
    while (counts.has(address)) address = `#${address}`
    return address
  })
}

/** The columns of the fields. A text as the result is the reason why the header is invalid. */
export function mapFields(
  names: readonly string[],
  { paths, required, ignore }: ColumnNames,
): FieldMap | string {
  const addressed = addressesOf(names)
  const named = new Map<string, number[]>()
  for (const [i, name] of names.entries()) {
    const all = named.get(name)
    if (all === undefined) named.set(name, [i])
    else all.push(i)
  }
  const byPlace = new Map(
    addressed.flatMap((address, i) => (address === names[i] ? [] : [[address, i] as const])),
  )
  const fieldOf = new Int32Array(paths.length).fill(-1)
  const taken = new Set<number>()
  const take = (column: number, field: number): void => {
    fieldOf[column] = field
    taken.add(field)
  }
  for (const [column, path] of paths.entries())
    if (byPlace.has(path)) take(column, byPlace.get(path) as number)
  for (const [column, path] of paths.entries()) {
    if (fieldOf[column] >= 0) continue
    const all = named.get(path) ?? []
    const free = all.filter((field) => !taken.has(field))
    const [first, second] = all.length > 1 && free.length === 1 ? free : all
    if (second !== undefined)
      return `the header has ${shownName(path)} twice; declare the position instead, #${first + 1} or #${second + 1}`
    if (first !== undefined) take(column, first)
  }
  const missing = paths.findIndex((path, column) => fieldOf[column] < 0 && required.includes(path))
  if (missing >= 0)
    return `the header has no ${shownName(paths[missing])}; it has ${names.map(shownName).join(', ').slice(0, 200)}`
  const isIgnored = (name: string, i: number): boolean =>
    ignore.includes('*') || ignore.includes(addressed[i]) || (name !== '' && ignore.includes(name))
  const unknown = names.flatMap((name, i) => (taken.has(i) || isIgnored(name, i) ? [] : [i]))
  return { fieldOf, unknown, paths: addressed }
}

/** A name in a message: in quotes if it would otherwise be invisible, or its end would be. */
function shownName(name: string): string {
  return name === '' || name.trim() !== name || /[\p{Cc}\p{Cf}]/u.test(name)
    ? JSON.stringify(name).replace(
        /[\p{Cf}\u007f-\u009f]/gu,
        (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
    : name
}
