/**
 * The state of the scanner between two tokens. One object lives as long as its scanner and is reset for each
 * document. A broken document ends with a thrown constant and its reason in the state: an exception object
 * with a stack would cost more than the whole message.
 */
import { createSlab, type Slab } from '../../core/slab.ts'
import { createRecords, type DocumentFault, type Records } from '../records.ts'
import type { JsonNode, JsonShape } from './shape.ts'
import type { ByteWords } from './words.ts'

/** Thrown if the document breaks the grammar or a limit. `reason` and `faultAt` of the state tell why. */
export const FAULT = Symbol('json fault')
/** Thrown if a window of a file ends inside a value. The state goes back to the last safe point. */
export const NEED_MORE = Symbol('need more')

export interface JsonLimits {
  depth: number
  keyBytes: number
  /** Unknown or repeated fields of one record. */
  findings: number
  /** Bytes of a line in a file that is read in windows. */
  lineBytes: number
}

export const [SKIPPED, RECORD_END] = [-1, -2]

/**
 * Bytes before a varying value, and what happens to the value: it goes to a column, it is skipped, or the
 * record ends.
 */
export interface Stretch {
  bytes: ByteWords
  /** Column of the value, or SKIPPED, or RECORD_END. */
  column: number
  node: JsonNode | undefined
  /** The characters of a string are the cell. */
  isPlain: boolean
  /** Depth of the value below the brace of the record. */
  depth: number
  next: Stretch[]
}

export interface KnownRecords {
  first: Stretch[]
  stretches: number
  tries: number
  hits: number
  /** How often everything was forgotten because the input had changed. */
  restarts: number
}

/** The keys of one open object, to find a repetition. */
export interface KeyLedger {
  count: number
  hashes: Int32Array
  starts: Int32Array
  lengths: Int32Array
  /** From the seventeenth key on. */
  names: Set<string> | undefined
}

/** Where reading of a document continues. */
export type Where =
  | 'value'
  | 'first member'
  | 'member'
  | 'after member'
  | 'first item'
  | 'item'
  | 'after item'
  | 'done'

export interface ScanState {
  readonly shape: JsonShape
  readonly records: Records
  readonly limits: JsonLimits
  /** White space between tokens. Without line feed if records are lines. */
  readonly space: Uint8Array
  slab: Slab
  bytes: Uint8Array
  view: DataView
  end: number
  /** The input ends here for good. */
  final: boolean
  windowed: boolean
  /** Rows after which a window ends. */
  room: number
  depth: number
  row: number
  /** Number of the object that was opened last. */
  instance: number
  /** The last value: its span, or length -1 for null. */
  valueStart: number
  valueLength: number
  /** The key that was read last. */
  keyStart: number
  keyLength: number
  ledgers: KeyLedger[]
  /**
   * The owner of the value that is being read whole, and the keys open inside it: for the paths of findings.
   */
  holder: JsonNode | string
  holderDepth: number
  trailStart: Int32Array
  trailLength: Int32Array
  /** Findings of the open record so far. */
  findings: number
  /** In items of an array with sub-fields: the repeated members, each from the comma before it to its end. */
  isInItems: boolean
  comma: number
  cuts: number[]
  known: KnownRecords
  /** Values of the record whose form is being learned: start and end of each. */
  learning: boolean
  learned: { spans: number[]; nodes: (JsonNode | undefined)[]; depths: number[] }
  where: Where
  /** The steps of the record's path so far, and the number of the object open at each. */
  level: number
  levelInstance: number[]
  hasRecords: boolean
  /** Why the document does not have the declared shape, although it may be well-formed. */
  wrongShape: string | undefined
  wrongAt: number
  envelopeSpan: Int32Array
  envelopeSource: Int32Array
  /** First row of the document, or of the window. */
  firstRow: number
  safePosition: number
  safeWhere: Where
  safeLevel: number
  safeRows: number
  rule: DocumentFault['rule']
  reason: string
  faultAt: number
}

export function createState(shape: JsonShape, limits: JsonLimits, space: Uint8Array): ScanState {
  const slab = createSlab(64)
  const cells = shape.envelope.length > 0 ? shape.width * 2 : 0
  return {
    shape,
    records: createRecords(shape.width),
    limits,
    space,
    slab,
    bytes: slab.bytes,
    view: slab.view,
    end: 0,
    final: true,
    windowed: false,
    room: Infinity,
    depth: 0,
    row: -1,
    instance: 0,
    valueStart: 0,
    valueLength: -1,
    keyStart: 0,
    keyLength: 0,
    ledgers: Array.from({ length: limits.depth + 2 }, newLedger),
    holder: '',
    holderDepth: 0,
    trailStart: new Int32Array(limits.depth + 2),
    trailLength: new Int32Array(limits.depth + 2),
    findings: 0,
    isInItems: false,
    comma: 0,
    cuts: [],
    known: { first: [], stretches: 0, tries: 0, hits: 0, restarts: 0 },
    learning: false,
    learned: { spans: [], nodes: [], depths: [] },
    where: 'value',
    level: 0,
    levelInstance: Array.from({ length: shape.way.length + 1 }, () => 0),
    hasRecords: false,
    wrongShape: undefined,
    wrongAt: 0,
    envelopeSpan: new Int32Array(cells).fill(-1),
    envelopeSource: new Int32Array(cells).fill(-1),
    firstRow: 0,
    safePosition: 0,
    safeWhere: 'value',
    safeLevel: 0,
    safeRows: 0,
    rule: 'malformed',
    reason: '',
    faultAt: 0,
  }
}

function newLedger(): KeyLedger {
  return {
    count: 0,
    hashes: new Int32Array(16),
    starts: new Int32Array(16),
    lengths: new Int32Array(16),
    names: undefined,
  }
}

/** Stores the reason and the place; `throw fault(...)` ends the document. */
export function fault(s: ScanState, reason: string, at: number): symbol {
  s.reason = reason
  s.faultAt = at
  return FAULT
}

/** For an unexpected byte at `p`: the end of a window asks for more, anything else is a fault. */
export function unexpected(s: ScanState, p: number, wanted: string): symbol {
  if (p >= s.end) return s.final ? fault(s, 'unexpected end', s.end) : NEED_MORE
  const c = s.bytes[p]
  if (c === 0x0a && s.space[c] === 0) return fault(s, 'the line ends within a value', p)
  const shown = c > 0x20 && c < 0x7f ? String.fromCharCode(c) : `byte 0x${c.toString(16).padStart(2, '0')}`
  return fault(s, `found ${shown} instead of ${wanted}`, p)
}
