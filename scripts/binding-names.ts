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

/** The names that a pattern binds, as their nodes: not the keys it takes apart, nor its defaults and types. */
function namesIn(pattern: unknown): SyntaxNode[] {
  if (Array.isArray(pattern)) return pattern.flatMap(namesIn)
  if (typeof pattern !== 'object' || pattern === null) return []
  const node = pattern as SyntaxNode
  switch (node.type) {
    case 'Identifier':
      return [node]
    case 'ArrayPattern':
      return namesIn(node.elements)
    case 'ObjectPattern':
      return namesIn(node.properties)
    case 'Property':
      return namesIn(node.value)
    case 'AssignmentPattern':
      return namesIn(node.left)
    case 'RestElement':
      return namesIn(node.argument)
    case 'TSParameterProperty':
      return namesIn(node.parameter)
    default:
      return []
  }
}
