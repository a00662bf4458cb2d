/** The outline of sample JSON: which array or object is the record, and the values of its fields. */
import type { Outline, OutlineFault, SampleText } from '../../core/outline.ts'
import { parseJsonPath } from '../../core/json-path.ts'
import { envelopeFields, envelopeNote } from './envelope.ts'
import { collectRecord, createSpot, fieldsOf } from './fields.ts'
import { findRecord, listAt, type RecordPath } from './record-path.ts'
import { closedText, isFault, readJsonValue, skipBlanks, type JsonNode } from './sample.ts'

interface Document {
  text: string
  root: JsonNode
}

/** JSON documents, each a message or a file. */
export function outlineJson(samples: SampleText[], wanted: string | undefined): Outline | OutlineFault {
  const documents: Document[] = []
  const broken: string[] = []
  for (const { text, cut } of samples) {
    const root = readJsonValue(text, 0, cut)
    const behind = isFault(root) ? 0 : skipBlanks(text, root.end)
    if (isFault(root)) broken.push(`${root.reason} (${placeOf(text, root.at)})`)
    else if (!root.cut && behind < text.length)
      broken.push(`more text follows the first value (${placeOf(text, behind)})`)
    else documents.push({ text, root })
  }
  if (documents.length === 0) return { reason: `it is not JSON: ${broken[0]}`, instead: BROKEN }
  const path =
    wanted === undefined ? findRecord(documents.map((document) => document.root)) : wantedPath(wanted)
  if ('reason' in path) return path
  const outline = outlineOf(documents, path)
  if ('reason' in outline || broken.length === 0) return outline
  outline.notes.push(
    `${broken.length} of ${samples.length} messages are not JSON and will be quarantined. The first: ${broken[0]}`,
  )
  return outline
}

/** JSON by lines: each line is a record. */
export function outlineJsonLines(samples: SampleText[]): Outline | OutlineFault {
  const documents: Document[] = []
  const wrong: string[] = []
  const whole: string[] = []
  let number = 0
  for (const { text, cut } of samples) {
    const kept = cut ? text.slice(0, text.lastIndexOf('\n') + 1) : text
    whole.push(kept)
    for (const line of kept.split('\n')) {
      number += 1
      if (line.trim() === '') continue
      const root = readJsonValue(line, 0, false)
      if (isFault(root)) wrong.push(`line ${number}: ${root.reason}`)
      else if (skipBlanks(line, root.end) < line.length) wrong.push(`line ${number}: text after the value`)
      else if (root.kind !== 'object') wrong.push(`line ${number}: ${kindText(root)} instead of an object`)
      else documents.push({ text: line, root })
    }
  }
  if (documents.length === 0) {
    const reason = wrong.length === 0 ? 'it has no lines' : `none of its lines is a JSON object; ${wrong[0]}`
    return { reason, instead: 'Write one object per line, {"name": value, ...}, or convert the file to CSV.' }
  }
  const outline = outlineOf(documents, { steps: [], each: false, text: '$' })
  if ('reason' in outline) return outline
  outline.record = ''
  outline.documents = whole
  if (wrong.length > 0)
    outline.notes.push(
      `${wrong.length} of ${number} lines are not records and will be quarantined. The first: ${wrong[0]}`,
    )
  return outline
}

const BROKEN = 'Correct the file at that place, or name another sample.'

function outlineOf(documents: Document[], path: RecordPath): Outline | OutlineFault {
  const spot = createSpot()
  const notes: string[] = []
  const documentOf: number[] = []
  const others = new Map<string, number>()
  documents.forEach(({ root, text }, document) => {
    const list = listAt(root, path)
    if (list === undefined) return
    const complete = path.each ? list.items.filter((item) => !item.cut) : [list]
    for (const item of complete) {
      if (item.kind !== 'object') others.set(kindText(item), (others.get(kindText(item)) ?? 0) + 1)
      else collectRecord(spot, item, text, documentOf.push(document) - 1)
    }
  })
  const records = documentOf.length
  if (records === 0) return nothingFound(documents, path, others)
  for (const [kind, count] of others)
    notes.push(`${count} items of ${path.text} are ${kind} instead of an object; such items are rejected`)
  const { fields, envelope } = {
    fields: fieldsOf(spot, records),
    envelope: envelopeFields(documents, path, documentOf),
  }
  const left = documents.length === 1 ? envelopeNote(envelope) : undefined
  if (left !== undefined) notes.push(left)
  if (!path.each && records === 1 && looksLikeMap(spot.children.size, documents[0].root)) notes.push(MAP)
  const closed = documents.map(({ root, text }) =>
    closedText(text, root, path.each ? listAt(root, path) : undefined),
  )
  return {
    record: path.text,
    records,
    fields: documents.length === 1 ? fields : [...fields, ...envelope],
    settings: {},
    documents: closed,
    notes,
  }
}

const MAP =
  'The record looks like a map: its keys are data, but each becomes a column. Convert it to a list of objects to get a row for each key'

function looksLikeMap(columns: number, root: JsonNode): boolean {
  return columns >= 10 && root.items.every((item) => item.kind === 'object')
}

function nothingFound(documents: Document[], path: RecordPath, others: Map<string, number>): OutlineFault {
  const [kind] = others.keys()
  const [{ root }] = documents
  if (kind === undefined && root.items.length === 0 && path.text !== '$')
    return {
      reason: `there is no item at ${path.text}`,
      instead: 'Name a sample that has records, or give their path: --record $.path[*].',
    }
  if (kind === undefined)
    return {
      reason: `there is nothing at ${path.text}`,
      instead:
        'Give the path of the records: --record $ for the document, --record $.path[*] for the items of an array.',
    }
  if (kind === 'an array')
    return {
      reason: `the items of ${path.text} are arrays, but a record is an object with named fields`,
      instead: "Convert them to objects or CSV, for example: jq -r '.[] | @csv'.",
    }
  return {
    reason: `${path.text} contains ${kind}, but a record is an object with named fields`,
    instead:
      "Convert the values to objects, for example: jq 'map({value: .})'. Or give another path with --record.",
  }
}

function kindText(node: JsonNode): string {
  if (node.kind === 'null') return 'null'
  return node.kind === 'array' || node.kind === 'object' ? `an ${node.kind}` : `a ${node.kind}`
}

function wantedPath(text: string): RecordPath | OutlineFault {
  const each = text.endsWith('[*]')
  const path = parseJsonPath(each ? text.slice(0, -3) : text)
  if (typeof path !== 'string' && path.fromRoot) return { steps: path.steps, each, text }
  const why = typeof path === 'string' ? `: ${path}` : ''
  return {
    reason: `${text} is not the path of a record${why}`,
    instead: 'Write a path such as $, $.books[*] or $["a.b"][*].',
  }
}

function placeOf(text: string, at: number): string {
  const before = text.slice(0, at)
  return `line ${before.split('\n').length}, column ${at - before.lastIndexOf('\n')}`
}
