/** The surroundings of the records in a JSON document: scalars of the objects on the path to their array. */
import { appendJsonStep } from '../../core/json-path.ts'
import { createField, type SampleField } from '../../core/outline.ts'
import { writingOf } from './fields.ts'
import type { RecordPath } from './record-path.ts'
import type { JsonNode } from './sample.ts'

/** One field for each, with a value for each record of its document. */
export function envelopeFields(
  documents: { root: JsonNode }[],
  path: RecordPath,
  documentOf: number[],
): SampleField[] {
  const found = new Map<string, { names: string[]; nodes: (JsonNode | undefined)[] }>()
  documents.forEach(({ root }, document) => {
    for (const [text, names, node] of scalarsAround(root, path)) {
      const group = found.get(text) ?? { names, nodes: [] }
      found.set(text, group)
      group.nodes[document] = node
    }
  })
  return [...found].map(([text, { names, nodes }]) => {
    const field = createField(
      text,
      names,
      writingOf(nodes.filter((node) => node !== undefined).map((node) => node.kind)),
    )
    documentOf.forEach((document, row) => {
      const node = nodes[document]
      if (node === undefined) return
      field.rows.push(row)
      field.values.push(node.text)
    })
    return field
  })
}

function scalarsAround(root: JsonNode, path: RecordPath): [text: string, names: string[], node: JsonNode][] {
  const found: [string, string[], JsonNode][] = []
  let node: JsonNode | undefined = root
  let text = '$'
  const names: string[] = []
  for (const step of path.steps) {
    if (node?.kind !== 'object') break
    node.items.forEach((item, i) => {
      const key = (node as JsonNode).keys[i]
      if (item.kind === 'string' || item.kind === 'number' || item.kind === 'boolean')
        found.push([appendJsonStep(text, key), [...names, key], item])
    })
    text = appendJsonStep(text, step)
    names.push(step)
    node = node.items[node.keys.indexOf(step)]
  }
  return found
}

/** A file has one envelope: as columns, it would be the same in each row. */
export function envelopeNote(envelope: SampleField[]): string | undefined {
  if (envelope.length === 0) return undefined
  const some = envelope
    .slice(0, 5)
    .map((field) => `${field.path} = ${JSON.stringify((field.values[0] ?? '').slice(0, 40))}`)
  return `Not loaded, because outside the records: ${some.join(', ')}${envelope.length > 5 ? ` and ${envelope.length - 5} more` : ''}. To load a value, declare a column with its path`
}
