/**
 * Made documents in which the same local names stand in several namespaces, and declarations that read them.
 */
import { xmlStepText } from '../../src/core/xml-path.ts'
import type { XmlField, XmlShapeSpec } from '../../src/formats/xml/shape.ts'

/** Numbers from a seed (mulberry32): documents are rather a walk than a combination of arbitraries. */
export interface Chance {
  below(count: number): number
  pick<T>(all: readonly T[]): T
}

export function chanceOf(seed: number): Chance {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (count: number): number => Math.floor(next() * count)
  return { below, pick: (all) => all[below(all.length)] }
}

export interface MadeElement {
  local: string
  uri: string
  attributes: { local: string; uri: string; value: string }[]
  children: MadeElement[]
  texts: string[]
}

export interface Names {
  leaves: string[]
  containers: string[]
  attributes: string[]
  uris: string[]
}

const PLAIN: Names = {
  leaves: ['t', 'u', 'v'],
  containers: ['c', 'd'],
  attributes: ['id', 'k'],
  uris: ['', 'urn:a', 'urn:b', 'urn:c'],
}

/** `unique`: no two containers of one parent have the same name in the same namespace. */
export interface Making {
  chance: Chance
  names?: Names
  unique?: boolean
}

export const NAMESPACES = { a: 'urn:a', b: 'urn:b' }

let values = 0

/** A root with records `r` and what stands between them. */
export function makeTree(making: Making): MadeElement {
  const { chance, names = PLAIN } = making
  const uri = chance.pick(names.uris)
  const root = newElement('root', uri)
  root.attributes = attributesFor(making)
  const recordUri = chance.pick([uri, chance.pick(names.uris)])
  for (let i = chance.below(4); i >= 0; i -= 1) {
    if (chance.below(4) === 0) root.children.push(leafFor(making, uri))
    if (chance.below(6) === 0) root.children.push(aroundFor(making, uri))
    const record = newElement('r', chance.below(8) === 0 ? chance.pick(names.uris) : recordUri)
    record.attributes = attributesFor(making)
    fill(making, record, 2)
    root.children.push(record)
  }
  return root
}

function newElement(local: string, uri: string): MadeElement {
  return { local, uri, attributes: [], children: [], texts: [] }
}

function fill(making: Making, parent: MadeElement, depth: number): void {
  const { chance, names = PLAIN } = making
  for (let i = chance.below(5); i > 0; i -= 1) {
    if (depth === 0 || chance.below(3) > 0) {
      const leaf = leafFor(making, parent.uri)
      // An attribute of the second of two elements would be one that the first has, in another namespace or
      // not at all.
      if (making.unique === true && parent.children.some((sibling) => sibling.local === leaf.local))
        leaf.attributes = []
      parent.children.push(leaf)
    } else {
      const container = newElement(chance.pick(names.containers), uriFor(making, parent.uri))
      if (
        making.unique === true &&
        parent.children.some((sibling) => sibling.local === container.local && sibling.uri === container.uri)
      )
        continue
      container.attributes = attributesFor(making)
      fill(making, container, depth - 1)
      parent.children.push(container)
    }
    parent.texts.push(chance.pick(['', '', '', '\n  ', '\r\n\t', `stray${(values += 1)}`]))
  }
}

/** A container beside the records. */
function aroundFor(making: Making, parentUri: string): MadeElement {
  const { chance, names = PLAIN } = making
  const container = newElement(chance.pick(names.containers), uriFor(making, parentUri))
  container.attributes = attributesFor(making)
  fill(making, container, 0)
  return container
}

function leafFor(making: Making, parentUri: string): MadeElement {
  const { chance, names = PLAIN } = making
  const leaf = newElement(chance.pick(names.leaves), uriFor(making, parentUri))
  values += 1
  leaf.texts.push(chance.pick(['', `x${values}`, `x${values}`, `x${values} & y`, `é${values}`]))
  leaf.attributes = chance.below(3) === 0 ? attributesFor(making) : []
  return leaf
}

function uriFor({ chance, names = PLAIN }: Making, parentUri: string): string {
  return chance.pick([parentUri, parentUri, '', chance.pick(names.uris)])
}

function attributesFor({ chance, names = PLAIN }: Making): MadeElement['attributes'] {
  const all = new Map<string, MadeElement['attributes'][number]>()
  for (let i = chance.below(4); i > 1; i -= 1) {
    const attribute = {
      local: chance.pick(names.attributes),
      uri: chance.pick(['', chance.pick(names.uris)]),
      value: `w${(values += 1)}`,
    }
    all.set(`{${attribute.uri}}${attribute.local}`, attribute)
  }
  return [...all.values()]
}

/** Children and attributes in another order. */
export function shuffled(element: MadeElement, chance: Chance, isRecord = false): MadeElement {
  const children = isRecord || element.local !== 'root' ? mixed(element.children, chance) : element.children
  return {
    ...element,
    attributes: mixed(element.attributes, chance),
    children: children.map((child) => shuffled(child, chance, true)),
  }
}

export function mixed<T>(all: readonly T[], chance: Chance): T[] {
  const out = [...all]
  for (let i = out.length - 1; i > 0; i -= 1) {
    const j = chance.below(i + 1)
    ;[out[i], out[j]] = [out[j], out[i]]
  }
  return out
}

/**
 * Writes a tree down: prefixes are bound where needed, bound again to other namespaces, or left to the
 * default namespace.
 */
export function written(
  element: MadeElement,
  chance: Chance,
  scope: Record<string, string> = { '': '' },
): string {
  const inner: Record<string, string> = { ...scope }
  let declared = ''
  const declare = (prefix: string, uri: string): void => {
    inner[prefix] = uri
    declared += ` xmlns${prefix === '' ? '' : ':'}${prefix}="${escaped(uri)}"`
  }
  const fresh = new Set<string>()
  const prefixFor = (uri: string, isElement: boolean): string => {
    const bound = Object.keys(inner).filter((prefix) => inner[prefix] === uri && (isElement || prefix !== ''))
    if (bound.length > 0 && (fresh.size > 0 || chance.below(5) > 0)) {
      const known = chance.pick(bound)
      fresh.add(known)
      return known
    }
    const candidates = ['p', 'q', 'z', ...(isElement ? [''] : [])].filter(
      (prefix) => !fresh.has(prefix) && (uri !== '' || prefix === ''),
    )
    const prefix = chance.pick(candidates)
    fresh.add(prefix)
    declare(prefix, uri)
    return prefix
  }
  const own = element.uri === '' && inner[''] === '' ? '' : prefixFor(element.uri, true)
  fresh.add(own)
  const attributes = element.attributes.map(({ local, uri, value }) => {
    const prefix = uri === '' ? '' : prefixFor(uri, false)
    return ` ${prefix === '' ? '' : `${prefix}:`}${local}="${escaped(value)}"`
  })
  const name = `${own === '' ? '' : `${own}:`}${element.local}`
  const parts = element.children.map(
    (child, i) => `${textFor(element.texts[i + 1] ?? '', chance)}${written(child, chance, inner)}`,
  )
  const body = `${textFor(element.texts[0] ?? '', chance)}${parts.join('')}`
  return body === '' && chance.below(2) === 0
    ? `<${name}${declared}${attributes.join('')}/>`
    : `<${name}${attributes.join('')}${declared}>${body}</${name}>`
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;')
}

function textFor(text: string, chance: Chance): string {
  if (text === '' || chance.below(4) > 0) return escaped(text)
  return chance.pick([
    `<![CDATA[${text.replaceAll('\r', '')}]]>`,
    `<!-- c -->${escaped(text)}`,
    `${escaped(text)}<?pi x?>`,
  ])
}

/** A declaration over the same names: steps plain, with a bound prefix, with a URI, in no namespace. */
export function makeSpec({ chance, names = PLAIN }: Making): XmlShapeSpec {
  const step = (local: string): string => {
    if (chance.below(2) === 0) return local
    return xmlStepText(local, chance.pick(names.uris), chance.below(2) === 0 ? NAMESPACES : {})
  }
  const path = (): string => {
    const steps = Array.from({ length: chance.below(3) === 0 ? 1 : 0 }, () =>
      step(chance.pick(names.containers)),
    )
    const end =
      chance.below(3) === 0 ? `@${step(chance.pick(names.attributes))}` : step(chance.pick(names.leaves))
    return [...steps, end].join('/')
  }
  const fieldFor = (): XmlField => {
    const kind = chance.below(8)
    if (kind === 0) return { path: `/root/${path()}` }
    if (kind === 1) return { path: path(), array: {} }
    if (kind === 2) {
      const two = { name: 'two', path: path(), ...(chance.below(2) === 0 ? { array: {} } : {}) }
      return {
        path: step(chance.pick(names.containers)),
        array: { fields: [{ name: 'one', path: path() }, two] },
      }
    }
    return { path: path() }
  }
  const ignore = Array.from({ length: chance.below(3) }, path)
  if (chance.below(4) === 0) ignore.push('*')
  return {
    record: '/root/r',
    fields: Array.from({ length: 1 + chance.below(5) }, fieldFor),
    ignore,
    namespaces: NAMESPACES,
  }
}
