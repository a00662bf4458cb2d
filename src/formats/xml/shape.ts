/**
 * The declared shape of a document, as declared and as the tree of element nodes that the scanner walks
 * beside the input. No code is generated: the tree is data, and prediction (see `follow`) makes it as quick
 * as generated code.
 */

/**
 * One field to take out of each record. Paths are relative to the record; `/root/...` starts at the document.
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

/** A field of an array's items: a path below the item, and the name of the member that it becomes. */
export interface XmlSubField extends XmlField {
  name: string
}

export interface XmlShapeSpec {
  /** Path of the element that is one record, from the document's root: `/library/book`. */
  record: string
  /** In the order of the columns: field i fills cell i of a row. */
  fields: XmlField[]
  /** Paths below the record that may appear and are left out without a word; `*` for all. */
  ignore: string[]
  /** Prefix to namespace URI, for the steps that have a prefix. */
  namespaces: Record<string, string>
}

export interface AttributeNode {
  name: Uint8Array
  /** Undefined: a plain step, which takes the name in any namespace (see claims.ts). Empty: no namespace. */
  uri: string | undefined
  column: number
  member: Member | undefined
  /** As a path below its element: `@id`. */
  step: string
}

/** An array: a column, or a sub-field that is an array inside of the items of another. */
export interface List {
  column: number
  /** Its items are objects of sub-fields. */
  hasItems: boolean
  /** Of a sub-field: where its array goes. */
  owner: Member | undefined
}

/**
 * A member of the items of a list (its number in `lists`); `collects`: the list that the member is, or -1.
 */
export interface Member {
  list: number
  name: string
  collects: number
}

/**
 * Bytes of a tag as little-endian words; the last word overlaps the one before, so that no byte is left over.
 */
export interface TagWords {
  length: number
  words: Int32Array
  /** Where the last word starts, and which of its bytes count (three for a tag like `<a>`). */
  lastAt: number
  lastMask: number
}

export interface ElementNode {
  /** Number of the node in its shape: the scanner keeps what it knows of a node by it. */
  index: number
  name: Uint8Array
  /** `<name>` and `</name>`: the plain tags, compared four bytes at a time. */
  openTag: TagWords
  closeTag: TagWords
  local: string
  /** Undefined: a plain step, which takes the name in any namespace (see claims.ts). Empty: no namespace. */
  uri: string | undefined
  /** The step in a path that leads here. */
  step: string
  /** Of a plain step: the namespaces whose elements of this name belong to siblings that name them. */
  rivals: string[] | undefined
  parent: ElementNode | undefined
  children: ElementNode[]
  attributes: AttributeNode[]
  /** Column that takes this element's text, or -1. */
  column: number
  /** This element is one item of an array, by its number in `lists`; -1 when not. */
  list: number
  /** The sub-field of an array's item that takes this element's text. */
  member: Member | undefined
  isRecord: boolean
  /** The record, or an element that it stands in. */
  onPath: boolean
  inRecord: boolean
  /** Envelope columns (outside the record) that are known once this element closes. */
  envelope: number[]
  /** What the declaration does not know below this element is left out without a word. */
  ignored: boolean
  /** Ignored, and nothing below it is declared: its subtree is not looked at. */
  closed: boolean
  /** Text of its own that no column takes is left out without a word. */
  ignoresText: boolean
  leaf: boolean
  /**
   * The child that came first last time, and the sibling that came after this one: tried before any look-up.
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
  /** Of each column, as declared. */
  paths: string[]
  /** Where a cell collects many values: the number of its list; -1 elsewhere. */
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
