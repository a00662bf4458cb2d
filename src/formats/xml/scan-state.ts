/**
 * What the scanner knows between two tokens. One object lives as long as its scanner and is reset for each
 * document, so a message costs no allocation. A broken document ends with a thrown constant and its reason in
 * the state: an exception object with a stack would cost more than the whole message.
 */
import type { Slab } from '../../core/slab.ts'
import type { DocumentFault, Records } from '../records.ts'
import type { ElementNode, TagWords, XmlShape } from './shape.ts'

/**
 * Thrown when the document is not well-formed or breaks a limit; `reason` and `faultAt` of the state say why.
 */
export const FAULT = Symbol('xml fault')
/** Thrown when a window of a file ends inside a token; the state goes back to the last safe point. */
export const NEED_MORE = Symbol('need more')

export interface XmlLimits {
  depth: number
  attributes: number
  nameBytes: number
  textBytes: number
}

export interface Binding {
  prefix: string
  uri: string
  depth: number
}

/** A stretch of bytes that stands before the value of `column`, or (-1) at the end of the record. */
export interface Stretch {
  bytes: TagWords
  column: number
  next: Stretch[]
}

export interface KnownRecords {
  first: Stretch[]
  stretches: number
  /** Namespace bindings in force where the records were found: prefixes mean the same only among these. */
  bindings: Binding[]
  tries: number
  hits: number
  /** How often all was forgotten because the input had changed. */
  restarts: number
}

export type ListItem = string | ListObject
/** An item of sub-fields by name; one that is an array has a list. */
export interface ListObject {
  [name: string]: string | ListItem[]
}

export class ScanState {
  readonly shape: XmlShape
  readonly records: Records
  readonly limits: XmlLimits
  slab: Slab
  bytes: Buffer
  start = 0
  end = 0
  /** The input ends here for good: a document cut short is broken, not merely incomplete. */
  final = true
  depth = 0
  nodes: (ElementNode | undefined)[]
  /**
   * Names of elements the declaration does not know, kept apart from the input: end tags are compared with
   * them.
   */
  names: Buffer = Buffer.alloc(4096)
  nameEnds: Int32Array
  /**
   * Qualified name lengths differ from the declared local name when a prefix was used: then the name is in
   * `names`.
   */
  textStart: Int32Array
  textLength: Int32Array
  hasChild: Uint8Array
  firstRow: Int32Array
  ignoredDepth = 0
  /** The outermost open element of a value around the records, or 0: a window is not cut inside of it. */
  aroundDepth = 0
  row = -1
  expected: ElementNode | undefined = undefined
  /**
   * By depth of the parent, the declared child that closed last: what comes next is learned as its follower.
   */
  previous: (ElementNode | undefined)[]
  /** The last XML declaration that was checked. */
  declaration: Uint8Array = new Uint8Array(0)
  /** Lives on from document to document. */
  known: KnownRecords = { first: [], stretches: 0, bindings: [], tries: 0, hits: 0, restarts: 0 }
  rootSeen = false
  rootDone = false
  rootChecked = false
  doctypeSeen = false
  /** Something of the document was read: what can only stand first cannot come any more. */
  begun = false
  bindings: Binding[] = []
  /** The default namespace in force; empty for none. */
  defaultUri = ''
  /**
   * By depth: the namespace of the open element, where its start tag begins, and a number that no other
   * element has.
   */
  uris: string[]
  opened: Int32Array
  instances: Int32Array
  lastInstance = 0
  /**
   * By node of the shape, for plain steps: the parent (its number) in which it is claimed, and for which
   * namespace.
   */
  claims: Int32Array
  claimUris: string[]
  /**
   * The record must be read again (see claims.ts), with these winners: by node, by the position of the
   * parent's start tag.
   */
  again = false
  winners = new Map<ElementNode, Map<number, string>>()
  /**
   * Unknown elements of the record by parent and name, and those whose plain path would mean two (see
   * paths.ts).
   */
  unknown = new Map<string, string>()
  ambiguous = new Set<string>()
  /**
   * Of a document in windows: what stands around records, which of it around each row, and around the next
   * (-1: look).
   */
  windowed = false
  /** Rows after which a window ends. */
  room = Infinity
  surrounds: (readonly [string, string])[] = []
  rowSurrounds: Int32Array = new Int32Array(16)
  surroundings = -1
  /** Records so far, and by depth those before the open element; of a document in windows. */
  windowRecords = 0
  recordsBefore: Float64Array
  /** By array column, what it has collected. */
  lists = new Map<number, ListItem[]>()
  /** By number of the list, the item that is open: an array can stand in an item of another. */
  items: (ListObject | undefined)[] = []
  envelopeStart: Int32Array
  envelopeLength: Int32Array
  /** The same as they were before the element at `aroundDepth`. */
  savedStart: Int32Array
  savedLength: Int32Array
  /** By column, where a second value stands. */
  envelopeSeconds = new Map<number, number>()
  safePosition = 0
  safeDepth = 0
  safeRows = 0
  rule: DocumentFault['rule'] = 'malformed'
  reason = ''
  faultAt = 0

  constructor(shape: XmlShape, records: Records, limits: XmlLimits, slab: Slab) {
    this.shape = shape
    this.records = records
    this.limits = limits
    this.slab = slab
    this.bytes = slab.bytes
    const frames = limits.depth + 2
    this.nodes = Array.from({ length: frames }, () => undefined)
    this.nameEnds = new Int32Array(frames)
    this.textStart = new Int32Array(frames)
    this.textLength = new Int32Array(frames)
    this.hasChild = new Uint8Array(frames)
    this.firstRow = new Int32Array(frames)
    this.previous = Array.from({ length: frames }, () => undefined)
    this.uris = Array.from({ length: frames }, () => '')
    this.opened = new Int32Array(frames)
    this.instances = new Int32Array(frames)
    this.claims = new Int32Array(shape.nodes)
    this.claimUris = Array.from({ length: shape.nodes }, () => '')
    this.recordsBefore = new Float64Array(frames)
    this.envelopeStart = new Int32Array(shape.width)
    this.envelopeLength = new Int32Array(shape.width).fill(-1)
    this.savedStart = new Int32Array(shape.width)
    this.savedLength = new Int32Array(shape.width)
  }
}

/** Records why and where; `throw fault(...)` ends the document. */
export function fault(
  s: ScanState,
  reason: string,
  at: number,
  rule: DocumentFault['rule'] = 'malformed',
): symbol {
  s.rule = rule
  s.reason = reason
  s.faultAt = at
  return FAULT
}

/** For a stop at position `p`: the end of the window asks for more, the end of the input is a fault. */
export function atEnd(s: ScanState, p: number, inside: string): symbol {
  if (p < s.end) return fault(s, `disallowed character in ${inside}`, p)
  if (!s.final) return NEED_MORE
  return fault(s, `unexpected end in ${inside}`, s.end)
}
