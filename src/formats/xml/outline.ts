/** The outline of sample XML documents, read leniently: which element repeats, and what its leaves hold. For drafts only. */
import type { Outline, SampleField } from '../../core/outline.ts'

interface Node {
  name: string
  attributes: [string, string][]
  children: Node[]
  text: string
}

export function outlineXml(samples: string[], wanted: string | undefined): Outline {
  const roots = samples.map(parseLoosely).filter((root) => root !== undefined)
  const record = wanted ?? (roots.length > 0 ? findRecord(roots) : '/')
  const steps = record.split('/').filter((step) => step !== '')
  const records = roots.flatMap((root) => at([root], steps))
  const fields = new Map<string, SampleField>()
  for (const one of records) collect(one, fields)
  return { record, records: records.length, fields: [...fields.values()] }
}

/** A small tag walker: enough for drafting, nowhere near a parser. A cut-off end is fine. */
function parseLoosely(text: string): Node | undefined {
  const stack: Node[] = [{ name: '', attributes: [], children: [], text: '' }]
  const token = /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<\/([^\s>]+)\s*>|<([^\s/>!?]+)([^>]*?)(\/?)>|([^<]+)/g
  for (const [, cdata, close, open, rest, empty, plain] of text.matchAll(token)) {
    const top = stack[stack.length - 1]
    if (cdata !== undefined || plain !== undefined) top.text += cdata ?? plain
    else if (close !== undefined && stack.length > 1) stack.pop()
    else if (open !== undefined) {
      const attributes = [...rest.matchAll(/([^\s=]+)\s*=\s*["']([^"']*)["']/g)].filter(([, name]) => !name.startsWith('xmlns')).map(([, name, value]): [string, string] => [local(name), value])
      const node: Node = { name: local(open), attributes, children: [], text: '' }
      top.children.push(node)
      if (empty === '') stack.push(node)
    }
  }
  return stack[0].children[0]
}

function local(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

/** The shallowest element that repeats below its parent in some sample; else the root itself. */
function findRecord(roots: Node[]): string {
  let level = roots.map((node) => ({ node, path: `/${node.name}` }))
  while (level.length > 0) {
    for (const { node, path } of level) {
      const names = node.children.map((child) => child.name)
      const repeated = names.find((name, i) => names.indexOf(name) !== i)
      if (repeated !== undefined) return `${path}/${repeated}`
    }
    level = level.flatMap(({ node, path }) => node.children.map((child) => ({ node: child, path: `${path}/${child.name}` })))
  }
  return `/${roots[0].name}`
}

function at(nodes: Node[], steps: string[]): Node[] {
  const [first, ...rest] = steps
  const found = nodes.filter((node) => node.name === first)
  return rest.length === 0 ? found : found.flatMap((node) => at(node.children, rest))
}

function collect(record: Node, fields: Map<string, SampleField>): void {
  const seen = new Map<string, number>()
  const add = (path: string, value: string): void => {
    const field = fields.get(path) ?? { path, values: [], present: 0, repeats: false }
    fields.set(path, field)
    const times = (seen.get(path) ?? 0) + 1
    seen.set(path, times)
    if (times === 1) field.present += 1
    else field.repeats = true
    field.values.push(value)
  }
  const walk = (node: Node, path: string): void => {
    for (const [name, value] of node.attributes) add(path === '' ? `@${name}` : `${path}/@${name}`, value)
    for (const child of node.children) {
      const inner = path === '' ? child.name : `${path}/${child.name}`
      if (child.children.length === 0) add(inner, child.text)
      if (child.children.length > 0 || child.attributes.length > 0) walk(child, inner)
    }
  }
  walk(record, '')
}
