/**
 * XML made by chance: names in several namespaces, widths of children and attributes, and what stands between
 * them.
 */
import { checkXmlPaths } from '../../src/dataset/xml-paths.ts'
import type { RawDeclaration } from '../../src/dataset/normalize.ts'
import type { XmlShapeSpec, XmlSubField } from '../../src/formats/xml/shape.ts'
import { kindFor, typedText } from './generated-csv.ts'
import {
  oneIn,
  textOf,
  widthUpTo,
  type Encoding,
  type GeneratedColumn,
  type MadeText,
} from './generated-parts.ts'
import {
  makeSpec,
  makeTree,
  written,
  type Chance,
  type MadeElement,
  type Making,
  type Names,
} from './xml-namespaces.ts'

export function makeXml(chance: Chance, encoding: Encoding): MadeText {
  const isWide = oneIn(chance, 3)
  const { tree, spec } = isWide ? makeWide(chance, encoding) : makeNarrow(chance, encoding)
  const columns = spec.fields.map((field, i): GeneratedColumn => {
    const base = { name: `c${i}`, path: field.path }
    if (field.array !== undefined)
      return {
        ...base,
        array: true,
        ...(field.array.fields === undefined ? {} : { fields: field.array.fields.map(subField) }),
      }
    return isWide && !field.path.startsWith('/') ? { ...base, ...kindFor(chance), required: undefined } : base
  })
  if (isWide) fillTyped(chance, tree, columns)
  const body = written(tree, chance)
  const before = chance.pick(['', '', DOCTYPE, '<!-- before -->', '<?pi before?>\n'])
  const after = chance.pick(['', '\n', '<!-- after -->'])
  const text = `${declarationFor(chance, encoding)}${before}${spoiled(chance, body)}${after}`
  return {
    text,
    record: { format: 'xml', path: spec.record, ignore: spec.ignore, namespaces: spec.namespaces },
    columns,
    drift: oneIn(chance, 3) ? 'discard_value' : 'freeze',
    byColumns: false,
    ...(oneIn(chance, 15) ? { brokenAt: (chance.below(50) + 40.5) / 100 } : {}),
  }
}

const DOCTYPE = '<!DOCTYPE root SYSTEM "root.dtd">\n'

function declarationFor(chance: Chance, { label, declared, mark }: Encoding): string {
  if (label === 'utf-16le' && mark === '') return '<?xml version="1.0"?>'
  if (declared) {
    const name = chance.pick([`"${label}"`, `'${label.toUpperCase()}'`])
    return `<?xml version="1.0" encoding=${name}?>${chance.pick(['', '\n', '\r\n'])}`
  }
  return chance.pick([
    '',
    '<?xml version="1.0"?>\n',
    mark === '' ? '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' : '',
  ])
}

/** Now and then what makes a document none. */
function spoiled(chance: Chance, body: string): string {
  if (!oneIn(chance, 15)) return body
  const at = body.indexOf('>', chance.below(body.length)) + 1
  const bad = chance.pick([
    '</none>',
    '<open>',
    '&unknown;',
    '&',
    '<',
    '<p:r/>',
    '<a b="1" b="2"/>',
    '\u0001',
    ']]>',
    '<!-- -- -->',
  ])
  return `${body.slice(0, at)}${bad}${body.slice(at)}`
}

/** Trees of few names in many namespaces, and paths that mean some of them. */
function makeNarrow(chance: Chance, { letters }: Encoding): { tree: MadeElement; spec: XmlShapeSpec } {
  const name = (base: string): string =>
    `${base}${letters
      .filter((letter) => /^[\p{L}]$/u.test(letter))
      .slice(0, chance.below(3))
      .join('')}`
  const names: Names = {
    leaves: [name('t'), 'u', 'v.1'],
    containers: [name('c'), 'd-d'],
    attributes: ['id', name('k')],
    uris: ['', 'urn:a', 'urn:b', 'http://c/x'],
  }
  const making: Making = { chance, names }
  const tree = makeTree(making)
  eachElement(tree, (element) => {
    element.texts = element.texts
      .map((text) => text.replace('é', letters[0]))
      .map((text) =>
        text.startsWith('x') && oneIn(chance, 2) ? `${text}${valueText(chance, letters)}` : text,
      )
  })
  for (;;) {
    const spec = makeSpec(making)
    if (isRight(spec)) return { tree, spec }
  }
}

function isRight({ record, fields, ignore, namespaces }: XmlShapeSpec): boolean {
  const columns = fields.map(({ path, array }, i) => ({
    name: `c${i}`,
    path,
    array: array !== undefined,
    fields: array?.fields?.map(subField),
  }))
  return (
    checkXmlPaths({ record: { format: 'xml', path: record, ignore, namespaces }, columns } as RawDeclaration)
      .length === 0
  )
}

function eachElement(element: MadeElement, visit: (visited: MadeElement) => void): void {
  visit(element)
  for (const child of element.children) eachElement(child, visit)
}

const valueText = (chance: Chance, letters: string[]): string =>
  textOf(chance, [
    'a',
    ' ',
    '&',
    '<',
    '>',
    '"',
    "'",
    '\n',
    '\t',
    ...letters.filter((letter) => letter !== '\u2028'),
  ])

const element = (local: string, uri: string, text = ''): MadeElement => ({
  local,
  uri,
  attributes: [],
  children: [],
  texts: [text],
})

/** Records of up to 2,000 children and 300 attributes. */
function makeWide(chance: Chance, { letters }: Encoding): { tree: MadeElement; spec: XmlShapeSpec } {
  const [width, attributes] = [widthUpTo(chance, 2_000), widthUpTo(chance, 300) - 1]
  const uris = Array.from({ length: width }, () => chance.pick(['', '', '', 'urn:a', 'urn:b']))
  const tree = element('root', '', '\n')
  for (let i = chance.below(width > 300 ? 3 : 8); i >= 0; i -= 1) {
    const record = element('r', '')
    record.attributes = Array.from({ length: attributes }, (_, at) => ({
      local: `k${at}`,
      uri: '',
      value: valueText(chance, letters).replaceAll(/\s/g, ' '),
    }))
    const isSparse = oneIn(chance, 2)
    uris.forEach((uri, at) => {
      if (!oneIn(chance, isSparse ? 2 : 20))
        record.children.push(element(`e${at}`, uri, valueText(chance, letters)))
      if (oneIn(chance, Math.max(20, width * 3))) record.children.push(element(`e${at}`, uri, 'again'))
      record.texts.push(chance.pick(['', '', '\n  ']))
    })
    tree.children.push(record)
    tree.texts.push('\n')
  }
  const step = (local: string, uri: string): string =>
    uri === '' ? local : chance.pick([local, `{${uri}}${local}`, `${uri.slice(4)}:${local}`])
  const fields = uris.map((uri, at) => ({ path: step(`e${at}`, uri) }))
  const all = [...fields, ...Array.from({ length: attributes }, (_, at) => ({ path: `@k${at}` }))]
  const kept = all.filter(() => !oneIn(chance, 12)).slice(0, 2_000)
  return {
    tree,
    spec: {
      record: '/root/r',
      fields: kept.length === 0 ? all.slice(0, 1) : kept,
      ignore: oneIn(chance, 2) ? ['*'] : [],
      namespaces: { a: 'urn:a', b: 'urn:b' },
    },
  }
}

/** Texts that fit the types of their columns, mostly. */
function fillTyped(chance: Chance, tree: MadeElement, columns: GeneratedColumn[]): void {
  const typed = new Map(
    columns.flatMap(({ path, type }) =>
      type === undefined ? [] : [[path.replace(/^(\{.*\}|[^@]*:)/, ''), type] as const],
    ),
  )
  for (const record of tree.children) {
    for (const child of record.children) {
      const type = typed.get(child.local)
      if (type !== undefined && !oneIn(chance, typed.size * 5)) child.texts = [typedText(chance, type)]
    }
    for (const attribute of record.attributes) {
      const type = typed.get(`@${attribute.local}`)
      if (type !== undefined && !oneIn(chance, typed.size * 5)) attribute.value = typedText(chance, type)
    }
  }
}

function subField({ name, path, array }: XmlSubField): { name: string; path: string; array?: boolean } {
  return { name, path, ...(array === undefined ? {} : { array: true }) }
}
