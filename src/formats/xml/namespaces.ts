/** Namespaces in XML 1.0: the bindings of prefixes at this depth, and forbidden bindings. */
import { fault, type ScanState } from './scan-state.ts'

const XML_URI = 'http://www.w3.org/XML/1998/namespace'
const XMLNS_URI = 'http://www.w3.org/2000/xmlns/'

/** Binds `prefix` ('' for the default namespace) from the element at the state's depth on. */
export function bind(s: ScanState, prefix: string, value: string, at: number): void {
  const uri = value.trim()
  if (prefix === 'xml' && uri !== XML_URI) throw fault(s, `the prefix xml must be bound to ${XML_URI}`, at)
  if (prefix === 'xmlns' && uri !== XMLNS_URI)
    throw fault(s, `the prefix xmlns must be bound to ${XMLNS_URI}`, at)
  if (uri === XMLNS_URI) throw fault(s, `a prefix is bound to ${XMLNS_URI}, which XML reserves`, at)
  if (uri === XML_URI && prefix !== 'xml')
    throw fault(s, 'the namespace of xml is bound to another prefix', at)
  if (uri === '' && prefix !== '') throw fault(s, 'XML 1.0 cannot undeclare a prefix', at)
  s.bindings.push({ prefix, uri, depth: s.depth })
  if (prefix === '') s.defaultUri = uri
}

/** The URI of a prefix, '' for no namespace, undefined if the prefix is unbound. */
export function lookup(s: ScanState, prefix: string): string | undefined {
  for (let i = s.bindings.length - 1; i >= 0; i -= 1)
    if (s.bindings[i].prefix === prefix) return s.bindings[i].uri
  if (prefix === '') return ''
  if (prefix === 'xml') return XML_URI
  return prefix === 'xmlns' ? XMLNS_URI : undefined
}

/** Forgets the bindings of elements deeper than `depth`. */
export function unbind(s: ScanState, depth: number): void {
  const { bindings } = s
  while (bindings.length > 0 && bindings[bindings.length - 1].depth > depth) {
    if (bindings.pop()?.prefix === '') s.defaultUri = lookup(s, '') as string
  }
}
