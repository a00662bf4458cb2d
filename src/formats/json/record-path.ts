/** Finds the record of sample JSON: the array of objects with most of the text, else the document. */
import { appendJsonStep } from '../../core/json-path.ts'
import type { JsonNode } from './sample.ts'

export interface RecordPath {
  steps: string[]
  /** Each item of the array there is a record; otherwise, the value there is one. */
  each: boolean
  /** As in a declaration. */
  text: string
}

const DEPTH = 8
/** An array with a smaller share of the text is a field of the record, and does not hold the records. */
const SHARE = 0.5

export function findRecord(roots: JsonNode[]): RecordPath {
  const sizes = new Map<string, { steps: string[]; size: number; objects: number }>()
  let total = 0
  for (const root of roots) {
    total += root.end - root.start
    visit(root, [], (steps, node) => {
      const key = JSON.stringify(steps)
      const candidate = sizes.get(key) ?? { steps, size: 0, objects: 0 }
      sizes.set(key, candidate)
      candidate.size += node.end - node.start
      candidate.objects += node.items.filter((item) => item.kind === 'object').length
    })
  }
  if (roots.every((root) => root.kind === 'array')) return recordPath([], true)
  const lists = [...sizes.values()].filter((candidate) => candidate.objects > 0)
  const largest = lists.reduce<(typeof lists)[number] | undefined>(
    (most, list) => (most === undefined || list.size > most.size ? list : most),
    undefined,
  )
  return largest !== undefined && largest.size >= total * SHARE
    ? recordPath(largest.steps, true)
    : recordPath([], false)
}

function recordPath(steps: string[], each: boolean): RecordPath {
  return { steps, each, text: `${steps.reduce(appendJsonStep, '$')}${each ? '[*]' : ''}` }
}

function visit(node: JsonNode, steps: string[], onArray: (steps: string[], node: JsonNode) => void): void {
  if (node.kind === 'array') onArray(steps, node)
  if (node.kind !== 'object' || steps.length >= DEPTH) return
  node.items.forEach((item, i) => {
    visit(item, [...steps, node.keys[i]], onArray)
  })
}

/**
 * The value at the path: the array whose items are the records, or the record. Undefined if there is none.
 */
export function listAt(root: JsonNode, path: RecordPath): JsonNode | undefined {
  let node: JsonNode | undefined = root
  for (const step of path.steps)
    node = node?.kind === 'object' ? node.items[node.keys.indexOf(step)] : undefined
  return path.each && node?.kind !== 'array' ? undefined : node
}
