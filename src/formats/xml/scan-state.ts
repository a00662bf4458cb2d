/**
 * The state of the scanner between two tokens. One object lives as long as its scanner and is reset for each
 * document, so a message costs no allocation. A broken document ends with a thrown constant and its reason in
 * the state: an exception object with a stack would cost more than the whole message.
 */
import type { Slab } from '../../core/slab.ts'
import type { DocumentFault, Records } from '../records.ts'
import type { ElementNode, TagWords, XmlShape } from './shape.ts'

/**
 * Thrown if the document is not well-formed or breaks a limit. `reason` and `faultAt` of the state tell why.
 */
export const FAULT = Symbol('xml fault')
/** Thrown if a window of a file ends inside a token. The state goes back to the last safe point. */
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

/** A stretch of bytes before the value of `column`, or (-1) at the end of the record. */
export interface Stretch {
  bytes: TagWords
  column: number
  next: Stretch[]
}

export interface KnownRecords {
  first: Stretch[]
  stretches: number
  /** The namespace bindings at the records: only under the same bindings, prefixes mean the same. */
  bindings: Binding[]
  tries: number
  hits: number
  /** How often everything was forgotten because the input had changed. */
  restarts: number
}

export type ListItem = string | ListObject
/** An item of sub-fields by name. A sub-field that is an array has a list. */
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
  /** The input ends here for good: a truncated document is broken, not just incomplete. */
  final = true
  depth = 0
  nodes: (ElementNode | undefined)[]
  /** Names of unknown elements, kept apart from the input, for comparison with their end tags. */
  names: Buffer = Buffer.alloc(4096)
  nameEnds: Int32Array
  /**
   * The length of a qualified name differs from the declared local name if a prefix was used: then the name
   * is in `names`.
   */
  textStart: Int32Array
  textLength: Int32Array
  hasChild: Uint8Array
  firstRow: Int32Array
  ignoredDepth = 0
  /** The outermost open element of a value outside the records, or 0: a window cannot end inside it. */
  aroundDepth = 0
  row = -1
  expected: ElementNode | undefined = undefined
  /** By depth of the parent: the declared child that closed last. The next one is learned as its follower. */
  previous: (ElementNode | undefined)[]
  /** The last XML declaration that was checked. */
  declaration: Uint8Array = new Uint8Array(0)
  /** Survives from document to document. */
  known: KnownRecords = { first: [], stretches: 0, bindings: [], tries: 0, hits: 0, restarts: 0 }
  rootSeen = false
  rootDone = false
  rootChecked = false
  doctypeSeen = false
  /** Something of the document was read: the tokens that must come first can no longer follow. */
  begun = false
  bindings: Binding[] = []
  /** The default namespace in force. Empty for none. */
  defaultUri = ''
  /** By depth: the namespace of the open element, the start of its start tag, and a unique number. */
  uris: string[]
  opened: Int32Array
  instances: Int32Array
  lastInstance = 0
  /**
   * By node of the shape, for plain steps: the parent (its number) in which it is claimed, and the namespace
   * that claimed it.
   */
  claims: Int32Array
  claimUris: string[]
  /**
   * The record must be read again (see claims.ts), with these winners: by node, and by the position of the
   * parent's start tag.
   */
  again = false
  winners = new Map<ElementNode, Map<number, string>>()
  /**
   * Unknown elements of the record by parent and name, and those whose plain path would be ambiguous (see
   * paths.ts).
   */
  unknown = new Map<string, string>()
  ambiguous = new Set<string>()
  /**
   * For a document in windows: the surroundings of records, their index for each row, and for the next row
   * (-1: compute it).
   */
  windowed = false
  /** Rows after which a window ends. */
  room = Infinity
  surrounds: (readonly [string, string])[] = []
  rowSurrounds: Int32Array = new Int32Array(16)
  surroundings = -1
  /**
   * For a document in windows: the number of records so far, and by depth the number before the open element.
   */
  windowRecords = 0
  recordsBefore: Float64Array
  /** By array column: the items so far. */
  lists = new Map<number, ListItem[]>()
  /** By number of the list: the open item. An array can be in an item of another. */
  items: (ListObject | undefined)[] = []
  envelopeStart: Int32Array
  envelopeLength: Int32Array
  /** The same as before the element at `aroundDepth`. */
  savedStart: Int32Array
  savedLength: Int32Array
  /** By column: the place of a second value. */
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

/** Stores the reason and the place; `throw fault(...)` ends the document. */
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
