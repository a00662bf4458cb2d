/**
 * Reads sample XML leniently into a tree of elements, from a document that may have been cut off. Good enough
 * for drafts, but far from a parser: the scanner judges ingested data.
 */

export interface XmlNode {
  local: string
  uri: string
  /** Its name as written, to close it. */
  name: string
  attributes: { local: string; uri: string; value: string }[]
  children: XmlNode[]
  /** Its own text, all pieces joined. */
  text: string
  start: number
  end: number
  /** The sample ended inside it. */
  cut: boolean
}

export interface XmlTree {
  root: XmlNode
  /** Prefixes that the document binds; the default namespace has the empty text. */
  prefixes: Map<string, string>
}

type Bindings = Record<string, string>

const XML_URI = 'http://www.w3.org/XML/1998/namespace'
const NAME = /[^\s/>=<]+/y
const ATTRIBUTE = /\s+([^\s/>=<]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y

/** Undefined if there is no element. */
export function readXml(text: string): XmlTree | undefined {
  const prefixes = new Map<string, string>()
  const top = newNode('', { local: '', uri: '' }, 0)
  const stack: { node: XmlNode; bindings: Bindings }[] = [{ node: top, bindings: { xml: XML_URI } }]
  let at = 0
  while (at < text.length) {
    const open = text.indexOf('<', at)
    const here = stack[stack.length - 1]
    here.node.text += decoded(text.slice(at, open < 0 ? text.length : open))
    if (open < 0) break
    const behind = markupEnd(text, open, here.node)
    if (behind === 0) break
    if (behind > 0) at = behind
    else if (text[open + 1] === '/') {
      const close = text.indexOf('>', open)
      if (close < 0) break
      if (stack.length > 1) (stack.pop() as { node: XmlNode }).node.end = close + 1
      at = close + 1
    } else {
      const tag = readTag(text, open, here.bindings, prefixes)
      if (tag === undefined) break
      here.node.children.push(tag.node)
      at = tag.node.end
      if (!tag.empty) stack.push(tag)
    }
  }
  for (const { node } of stack.slice(1)) Object.assign(node, { cut: true, end: text.length })
  return top.children.length === 0 ? undefined : { root: top.children[0], prefixes }
}

/**
 * The position after a comment, an instruction, a CDATA section or a DOCTYPE. -1 if a tag is here, 0 if the
 * text ends first.
 */
function markupEnd(text: string, open: number, node: XmlNode): number {
  const after = (mark: string): number => {
    const found = text.indexOf(mark, open)
    return found < 0 ? 0 : found + mark.length
  }
  if (text.startsWith('<!--', open)) return after('-->')
  if (text.startsWith('<?', open)) return after('?>')
  if (text.startsWith('<![CDATA[', open)) {
    const behind = after(']]>')
    if (behind > 0) node.text += lineEnds(text.slice(open + 9, behind - 3))
    return behind
  }
  if (!text.startsWith('<!', open)) return -1
  const subset = /^<![^[>"']*(?:"[^"]*"|'[^']*'|[^[>"'])*\[/.exec(text.slice(open, open + 2000))
  return subset === null ? after('>') : after(']>') || after(']')
}

function readTag(
  text: string,
  open: number,
  outer: Bindings,
  prefixes: Map<string, string>,
): { node: XmlNode; bindings: Bindings; empty: boolean } | undefined {
  NAME.lastIndex = open + 1
  const name = NAME.exec(text)?.[0]
  if (name === undefined) return undefined
  const pairs: [string, string][] = []
  let at = NAME.lastIndex
  for (;;) {
    ATTRIBUTE.lastIndex = at
    const found = ATTRIBUTE.exec(text)
    if (found === null) break
    pairs.push([found[1], decoded((found[2] ?? found[3]).replace(/\r\n|[\t\r\n]/g, ' '))])
    at = ATTRIBUTE.lastIndex
  }
  const close = text.indexOf('>', at)
  if (close < 0) return undefined
  const bindings = { ...outer }
  for (const [key, value] of pairs) {
    if (key !== 'xmlns' && !key.startsWith('xmlns:')) continue
    const prefix = key.slice(6)
    bindings[prefix] = value
    if (!prefixes.has(prefix)) prefixes.set(prefix, value)
  }
  const node = newNode(name, resolved(name, bindings, true), open)
  node.attributes = pairs
    .filter(([key]) => key !== 'xmlns' && !key.startsWith('xmlns:'))
    .map(([key, value]) => ({ ...resolved(key, bindings, false), value }))
  node.end = close + 1
  return { node, bindings, empty: text[close - 1] === '/' }
}

function newNode(name: string, { local, uri }: { local: string; uri: string }, start: number): XmlNode {
  return { local, uri, name, attributes: [], children: [], text: '', start, end: start, cut: false }
}

/** Attributes without a prefix are in no namespace. */
function resolved(name: string, bindings: Bindings, element: boolean): { local: string; uri: string } {
  const colon = name.indexOf(':')
  const prefix = name.slice(0, Math.max(0, colon))
  return { local: name.slice(colon + 1), uri: prefix === '' && !element ? '' : (bindings[prefix] ?? '') }
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decoded(text: string): string {
  const plain = lineEnds(text)
  if (!plain.includes('&')) return plain
  return plain.replace(
    /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|([\w.-]+));/g,
    (all, hex?: string, digits?: string, name?: string) => {
      if (name !== undefined) return ENTITIES[name] ?? all
      const code = hex === undefined ? Number(digits) : Number.parseInt(hex, 16)
      return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
        ? String.fromCodePoint(code)
        : all
    },
  )
}

function lineEnds(text: string): string {
  return text.replace(/\r\n?/g, '\n')
}

/**
 * Completes a cut document: up to the last complete child of `parent`, with the end tags of the open
 * elements.
 */
export function closedXml(text: string, root: XmlNode): string {
  if (!root.cut) return text
  const open: XmlNode[] = []
  let node = root
  for (;;) {
    open.unshift(node)
    const last = node.children.at(-1)
    if (last?.cut !== true) break
    node = last
  }
  return closeAt(text, open)
}

function closeAt(text: string, open: XmlNode[]): string {
  const [deepest] = open
  const end = deepest.children.at(-1)?.end ?? text.indexOf('>', deepest.start) + 1
  return text.slice(0, end) + open.map((node) => `</${node.name}>`).join('')
}

/**
 * Removes incomplete elements from the tree, down to those for which `isRecord` is true: half a record does
 * not count.
 */
export function withoutCut(root: XmlNode, isRecord: (path: XmlNode[]) => boolean): void {
  const path: XmlNode[] = [root]
  for (;;) {
    const parent = path[path.length - 1]
    const last = parent.children.at(-1)
    if (last?.cut !== true) return
    path.push(last)
    if (isRecord(path)) {
      parent.children.pop()
      return
    }
  }
}
