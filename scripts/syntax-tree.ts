/** The syntax tree of a file, for checks that look at code and not at its text. */
import { parseSync } from 'oxc-parser'
import type { SourceFile } from './findings.ts'

export interface SyntaxNode {
  type: string
  start: number
  end: number
  [field: string]: unknown
}

/** Calls `look` for every node of the file, a node before those inside it. */
export function visitNodes(file: SourceFile, look: (node: SyntaxNode) => void): void {
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    if (isNode(value)) look(value)
    for (const inner of Object.values(value)) visit(inner)
  }
  visit(parseSync(file.path, file.text).program)
}

export function lineOf(file: SourceFile, offset: number): number {
  return file.text.slice(0, offset).split('\n').length
}

const isNode = (value: object): value is SyntaxNode =>
  'type' in value && typeof value.type === 'string' && 'start' in value && typeof value.start === 'number'
