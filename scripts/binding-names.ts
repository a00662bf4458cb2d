/** A name says what a thing is: a column, a row, a job. */
import type { Finding, SourceFile } from './findings.ts'
import { lineOf, visitNodes, type SyntaxNode } from './syntax-tree.ts'

/** Where the rule is in force. */
const CHECKED = ['src/', 'scripts/', 'test/']
/** Names that fit every thing and so tell a reader nothing. */
const EMPTY_NAMES = new Set(['one'])
/** Fields of nodes that bind names: parameters, what `catch` takes, what is declared, what an import is called here. */
const BINDING_FIELDS = ['params', 'param', 'id', 'local']

/** Variables, parameters and imports whose name is empty, in types too. */
export function checkBindingNames(file: SourceFile): Finding[] {
  if (!CHECKED.some((folder) => file.path.startsWith(folder))) return []
  const bound: SyntaxNode[] = []
  visitNodes(file, (node) => bound.push(...BINDING_FIELDS.flatMap((field) => namesIn(node[field]))))
  return bound
    .filter(({ name }) => EMPTY_NAMES.has(name as string))
    .map(({ name, start }) => ({
      rule: 'binding-name',
      path: file.path,
      line: lineOf(file, start),
      message: `${String(name)} says nothing: name what it holds (column, row, candidate)`,
    }))
}

/** Where a pattern binds names, by its type: not the keys that it takes apart, nor its defaults and types. */
const BOUND_IN: Record<string, string> = {
  ArrayPattern: 'elements',
  ObjectPattern: 'properties',
  Property: 'value',
  AssignmentPattern: 'left',
  RestElement: 'argument',
  TSParameterProperty: 'parameter',
}

/** The names that a pattern binds, as their nodes. */
function namesIn(pattern: unknown): SyntaxNode[] {
  if (Array.isArray(pattern)) return pattern.flatMap(namesIn)
  if (typeof pattern !== 'object' || pattern === null) return []
  const node = pattern as SyntaxNode
  if (node.type === 'Identifier') return [node]
  const field = BOUND_IN[node.type]
  return field === undefined ? [] : namesIn(node[field])
}
