/**
 * The declared shape of a document: its declaration, and the tree of element nodes that the scanner walks
 * along the input. No code is generated: the tree is data, and prediction (see `follow`) makes it as fast as
 * generated code.
 */

/**
 * One field to take from each record. Paths are relative to the record; `/root/...` starts at the document.
 */
export interface XmlField {
  /** `title`, `author/name`, `@id`, `author/@id`, `/library/@source`, `media:title`, `{urn:x}title`. */
  path: string
  /**
   * Collects every occurrence as a JSON array. With `fields`, each occurrence is an object of these
   * sub-paths.
   */
  array?: { fields?: XmlSubField[] }
}

/** A field of an array's items: a path below the item, and the name of its member. */
export interface XmlSubField extends XmlField {
  name: string
}

export interface XmlShapeSpec {
  /** Path of the element that is one record, from the document's root: `/library/book`. */
  record: string
  /** In the order of the columns: field i fills cell i of a row. */
  fields: XmlField[]
  /** Paths below the record that may appear and are skipped without a finding. `*` for all. */
  ignore: string[]
  /** Prefix to namespace URI, for the steps that have a prefix. */
  namespaces: Record<string, string>
}

export interface AttributeNode {
  name: Uint8Array
  /**
   * Undefined: a plain step, which matches the name in any namespace (see claims.ts). Empty: no namespace.
   */
  uri: string | undefined
  column: number
  member: Member | undefined
  /** As a path below its element: `@id`. */
  step: string
}

/** An array: a column, or a sub-field that is an array inside the items of another. */
export interface List {
  column: number
  /** Its items are objects of sub-fields. */
  hasItems: boolean
  /** For a sub-field: the destination of its array. */
  owner: Member | undefined
}

/**
 * A member of the items of a list (its number in `lists`). `collects`: the list that the member is, or -1.
 */
export interface Member {
  list: number
  name: string
  collects: number
}

/** Bytes of a tag as little-endian words. The last word overlaps the one before, so no byte is left over. */
export interface TagWords {
  length: number
  words: Int32Array
  /** The start of the last word, and the bytes of it that count (three for a tag like `<a>`). */
  lastAt: number
  lastMask: number
}

export interface ElementNode {
  /** Number of the node in its shape. The scanner stores its knowledge of a node under it. */
  index: number
  name: Uint8Array
  /** `<name>` and `</name>`: the plain tags, compared four bytes at a time. */
  openTag: TagWords
  closeTag: TagWords
  local: string
  /**
   * Undefined: a plain step, which matches the name in any namespace (see claims.ts). Empty: no namespace.
   */
  uri: string | undefined
  /** The step in a path that leads here. */
  step: string
  /** For a plain step: namespaces whose elements of this name belong to siblings that name them. */
  rivals: string[] | undefined
  parent: ElementNode | undefined
  children: ElementNode[]
  attributes: AttributeNode[]
  /** Column that takes this element's text, or -1. */
  column: number
  /** The number in `lists` if this element is one item of an array, else -1. */
  list: number
  /** The sub-field of an array's item that takes this element's text. */
  member: Member | undefined
  isRecord: boolean
  /** The record, or one of its ancestors. */
  onPath: boolean
  inRecord: boolean
  /** Envelope columns (outside the record) that are known once this element closes. */
  envelope: number[]
  /** Unknown elements and attributes below this element are skipped without a finding. */
  ignored: boolean
  /** Ignored, and nothing below it is declared: its subtree is skipped. */
  closed: boolean
  /** Its own text is skipped without a finding if no column takes it. */
  ignoresText: boolean
  leaf: boolean
  /**
   * The child that came first last time, and the sibling that came after this one: tried before any lookup.
   */
  first: ElementNode | undefined
  follow: ElementNode | undefined
}

export interface XmlShape {
  root: ElementNode
  record: ElementNode
  /** Depth of the record element; the root has depth 1. */
  recordDepth: number
  nodes: number
  width: number
  /** The path of each column, as declared. */
  paths: string[]
  /** For a cell that collects many values: the number of its list; else -1. */
  listOf: number[]
  lists: List[]
  ignoreAll: boolean
  hasEnvelope: boolean
  namespaces: Record<string, string>
}

export function tagWords(bytes: Uint8Array): TagWords {
  const { length } = bytes
  const padded = Buffer.alloc(Math.max(length, 4))
  padded.set(bytes)
  const words = new Int32Array(Math.ceil(padded.length / 4))
  words.forEach((_, i) => (words[i] = padded.readInt32LE(Math.min(i * 4, padded.length - 4))))
  return { length, words, lastAt: Math.max(length - 4, 0), lastMask: length < 4 ? 0xffffff : -1 }
}
