/**
 * Generated texts of many column settings laid into records: each setting is a column, an array and a
 * sub-field of an array's objects. What a table must hold afterwards is known before a file is written, from
 * the model in Python.
 */
import type { RawColumn } from '../../src/dataset/normalize.ts'
import { createChance } from './chance.ts'
import type { TypeCase, Verdict } from './type-texts.ts'
import type { TypeSettings } from './type-settings.ts'

/** Where a text stands: the value of a column, an item of an array, a field of an object in an array. */
export type Way = 'top' | 'item' | 'field'

/** Of an array, its items; of an array of objects, their fields by name. */
export type Cell = string | string[] | Record<string, string>[]

export interface TypedRecord {
  n: number
  cells: Map<string, Cell>
  /** The one cell that must be refused. */
  refused: { path: string; rule: string; text: string } | undefined
}

export interface TypedRecords {
  /** Behind the key `n`. */
  columns: RawColumn[]
  records: TypedRecord[]
  /** By column, the records that have a value there, with it. */
  values: Record<string, [number, unknown][]>
  /** Cells that were laid out, in accepted records and in refused ones. */
  texts: number
}

interface Judged {
  text: string
  verdict: Verdict
}

interface Setting {
  settings: TypeSettings
  kept: Judged[]
  refused: Judged[]
}

/** Sub-fields that one column of objects has. */
const FIELDS = 24
/** Items of an array, and objects. */
const [ITEMS, OBJECTS] = [3, 2]

/** Texts that are accepted share records; each that is refused has one of its own, among the others. */
export function typedRecords(cases: TypeCase[], verdicts: Verdict[], ways: readonly Way[]): TypedRecords {
  const settings = settingsOf(cases, verdicts)
  const drafts: Omit<TypedRecord, 'n'>[] = []
  const kept: TypedRecord['cells'][] = []
  const columns: RawColumn[] = []
  let texts = 0
  for (const way of ways) {
    const laid = LAYERS[way](settings)
    columns.push(...laid.columns)
    for (const { name, cells } of laid.kept)
      for (const [row, cell] of cells.entries()) (kept[row] ??= new Map()).set(name, cell)
    drafts.push(...laid.refused)
    texts += cases.length
  }
  drafts.push(...kept.map((cells) => ({ cells, refused: undefined })))
  const records = shuffled(drafts, cases.length).map((draft, i) => ({ n: i + 1, ...draft }))
  return { columns, records, values: valuesOf(records, settings), texts }
}

function settingsOf(cases: TypeCase[], verdicts: Verdict[]): Setting[] {
  const byText = new Map<string, Setting>()
  cases.forEach(({ column, text }, i) => {
    const key = JSON.stringify(column)
    const setting = byText.get(key) ?? { settings: column, kept: [], refused: [] }
    byText.set(key, setting)
    ;(verdicts[i].verdict === 'refused' ? setting.refused : setting.kept).push({ text, verdict: verdicts[i] })
  })
  return [...byText.values()]
}

interface Layer {
  columns: RawColumn[]
  kept: { name: string; cells: Cell[] }[]
  refused: Omit<TypedRecord, 'n'>[]
}

/** A record of its own for a cell with one text that is refused. */
function refusal(
  [name, cell]: [string, Cell],
  path: string,
  { settings }: Setting,
  text: string,
): Omit<TypedRecord, 'n'> {
  return { cells: new Map([[name, cell]]), refused: { path, rule: `type.${settings.type}`, text } }
}

const LAYERS: Record<Way, (settings: Setting[]) => Layer> = {
  top: (settings) => ({
    columns: settings.map((setting, i) => ({ name: `c${i}`, ...setting.settings })),
    kept: settings.map(({ kept }, i) => ({ name: `c${i}`, cells: kept.map(({ text }) => text) })),
    refused: settings.flatMap((setting, i) =>
      setting.refused.map(({ text }) => refusal([`c${i}`, text], `c${i}`, setting, text)),
    ),
  }),
  item: (settings) => ({
    columns: settings.map((setting, i) => ({ name: `i${i}`, array: true, ...setting.settings })),
    kept: settings.map(({ kept }, i) => ({
      name: `i${i}`,
      cells: chunks(
        kept.map(({ text }) => text),
        ITEMS,
      ),
    })),
    refused: settings.flatMap((setting, i) =>
      setting.refused.map(({ text }, at) =>
        refusal(
          [`i${i}`, [setting.kept[at % setting.kept.length]?.text ?? '', text]],
          `i${i}[1]`,
          setting,
          text,
        ),
      ),
    ),
  }),
  field: (settings) => {
    const layers = chunks([...settings.entries()], FIELDS).map(objectsLayer)
    return {
      columns: layers.flatMap((layer) => layer.columns),
      kept: layers.flatMap((layer) => layer.kept),
      refused: layers.flatMap((layer) => layer.refused),
    }
  },
}

/** Every second sub-field stands one step deeper. */
export const fieldPath = (i: number): string => (i % 2 === 0 ? `f${i}` : `k/f${i}`)

function objectsLayer(settings: [number, Setting][], group: number): Layer {
  const name = `o${group}`
  const rows = Math.max(...settings.map(([, { kept }]) => Math.ceil(kept.length / OBJECTS)))
  const objectOf = (at: number): Record<string, string> =>
    Object.fromEntries(
      settings.flatMap(([i, { kept }]) => (at < kept.length ? [[`f${i}`, kept[at].text]] : [])),
    )
  const cells = Array.from({ length: rows }, (_, row) =>
    Array.from({ length: OBJECTS }, (__, at) => objectOf(row * OBJECTS + at)).filter(
      (object) => Object.keys(object).length > 0,
    ),
  )
  const fields = settings.map(([i, setting]) => ({ name: `f${i}`, path: fieldPath(i), ...setting.settings }))
  const refused = settings.flatMap(([i, setting]) =>
    setting.refused.map(({ text }) =>
      refusal([name, [{ [`f${i}`]: '' }, { [`f${i}`]: text }]], `${name}[1]/${fieldPath(i)}`, setting, text),
    ),
  )
  return { columns: [{ name, array: true, fields }], kept: [{ name, cells }], refused }
}

function chunks<T>(list: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size))
}

function shuffled<T>(list: T[], seed: number): T[] {
  const chance = createChance(seed)
  const mixed = [...list]
  for (let i = mixed.length - 1; i > 0; i -= 1) {
    const other = Math.floor(((chance() + chance() * 65_536) % 1) * (i + 1))
    ;[mixed[i], mixed[other]] = [mixed[other], mixed[i]]
  }
  return mixed
}

/** What the model says of each cell; a sub-field without a value is left out. */
function valuesOf(records: TypedRecord[], settings: Setting[]): TypedRecords['values'] {
  const known = settings.map(
    ({ kept }) =>
      new Map(kept.map(({ text, verdict }) => [text, verdict.verdict === 'value' ? verdict.value : null])),
  )
  const valueOf = (name: string, text: string): string | null => {
    const value = known[Number(name.slice(1))].get(text)
    if (value === undefined) throw new Error(`no verdict on ${JSON.stringify(text)} in ${name}`)
    return value
  }
  const modelled = (name: string, cell: Cell): unknown => {
    if (typeof cell === 'string') return valueOf(name, cell)
    return cell.map((item) =>
      typeof item === 'string'
        ? valueOf(name, item)
        : Object.fromEntries(
            Object.entries(item)
              .map(([field, text]) => [field, valueOf(field, text)])
              .filter(([, value]) => value !== null),
          ),
    )
  }
  const values: TypedRecords['values'] = {}
  for (const { n, cells, refused } of records) {
    if (refused !== undefined) continue
    for (const [name, cell] of cells) {
      const value = modelled(name, cell)
      if (value !== null) (values[name] ??= []).push([n, value])
    }
  }
  return values
}

/** A record's place in its file: which one it is, from 0, and the line that it begins on. */
export interface Placed {
  file: string
  ordinal: number
  line: number
}

export interface Difference {
  column: string
  n?: number
  [found: string]: unknown
}

/** Adds to a difference what stood in the source. */
export function explained({ columns, records }: TypedRecords, difference: Difference): Difference {
  const record = records[(difference.n ?? 0) - 1] as TypedRecord | undefined
  const name = difference.column
  const column = columns.find((candidate) => candidate.name === name)
  return {
    ...difference,
    source: record?.refused?.text ?? record?.cells.get(name),
    settings: column?.fields === undefined ? column : undefined,
  }
}
