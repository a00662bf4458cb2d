/**
 * What errors, help, API descriptions and pages name: commands with their options, fields of declarations and
 * of the API, pages, routes. Each function returns the names in a text that do not exist.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { parseSync } from 'oxc-parser'
import { ROUTES } from '../../src/api/server.ts'
import { DATASET_SCHEMA } from '../../src/dataset/schema.ts'
import { createProgram } from '../../src/main/program.ts'

export interface Text {
  /** File and line, for the message of a failing test. */
  where: string
  text: string
}

interface Node {
  type: string
  start: number
  name?: string
  value?: unknown
  quasis?: { value: { cooked: string } }[]
  callee?: Node
  [key: string]: unknown
}

const PROGRAM = createProgram('0')

/** Files below a folder of the repository. */
export function filesBelow(folder: string, end: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => path.endsWith(end))
    .toSorted()
}

/** Where every string is for the reader; elsewhere only the arguments of `failure(...)` are. */
const FOR_READERS =
  /^src\/(core\/errors|cli|control\/schemas|api\/routes|dataset|formats|quality)\b|tenant-limits\.ts$/

/** Texts of the error table, of reasons in errors, of help and of API descriptions, with `{}` for values. */
export function sourceTexts(): Text[] {
  return filesBelow('src', '.ts').flatMap((path) => {
    const source = readFileSync(path, 'utf8')
    const found: Text[] = []
    const line = (node: Node): number => source.slice(0, node.start).split('\n').length
    const visit = (value: unknown, wanted: boolean): void => {
      if (Array.isArray(value)) return value.forEach((item) => visit(item, wanted))
      if (typeof value !== 'object' || value === null) return
      const node = value as Node
      const text = wanted ? textOf(node) : undefined
      if (text !== undefined) found.push({ where: `${path}:${line(node)}`, text })
      const inside = wanted || (node.type === 'CallExpression' && node.callee?.name === 'failure')
      for (const child of Object.values(node)) visit(child, inside)
    }
    visit(parseSync(path, source).program, FOR_READERS.test(path))
    return found
  })
}

/** Comments of the code. */
export function commentTexts(): Text[] {
  return filesBelow('src', '.ts').flatMap((path) => {
    const source = readFileSync(path, 'utf8')
    return parseSync(path, source).comments.map(({ start, value }) => ({
      where: `${path}:${source.slice(0, start).split('\n').length}`,
      text: value,
    }))
  })
}

function textOf(node: Node): string | undefined {
  if (node.type === 'TemplateLiteral') return node.quasis?.map((part) => part.value.cooked).join('{}')
  return node.type === 'Literal' && typeof node.value === 'string' ? node.value : undefined
}

/** Pages: paragraphs in one line each, lines of code blocks as they are. */
export function pageTexts(): Text[] {
  return ['README.md', ...filesBelow('docs', '.md')].map((path) => ({
    where: path,
    text: readFileSync(path, 'utf8')
      .split(/^(```[\s\S]*?^```)$/m)
      .map((part) => (part.startsWith('```') ? part : part.replace(/(?<=\S)\n(?=[^\s|#>-])/g, ' ')))
      .join(''),
  }))
}

/** Commands as far as they are given: a verb of a group, and options of the verb that they are given to. */
export function unknownCommands(text: string): string[] {
  return [...text.matchAll(/(?:^|[\s`'"(]|\.\/)headrace[ \n]+([^\n`,;:()|]+)/g)].flatMap(([, rest]) => {
    const problem = problemOf(rest.split(/\.(?:\s|$)/)[0].trim())
    return problem === undefined ? [] : [`headrace ${rest.trim()}: ${problem}`]
  })
}

function problemOf(phrase: string): string | undefined {
  let command: Command = PROGRAM
  for (const word of phrase.split(/\s+/)) {
    if (/^[{$<]/.test(word)) continue
    if (word.startsWith('--')) {
      if (!hasOption(command, word)) return `${command.name()} has no ${word}`
    } else if (command.commands.length > 0) {
      const next = command.commands.find((subcommand) => subcommand.name() === word)
      if (next === undefined) return `${command.name()} has no command ${word}`
      command = next
    }
  }
  return undefined
}

function hasOption(command: Command, word: string): boolean {
  const name = /^--[a-z-]+/.exec(word)?.[0]
  return (
    name === '--help' ||
    [command, PROGRAM].some((candidate) => candidate.options.some(({ long }) => long === name))
  )
}

/** Options that no command has. Programs of others are left out with their options, and so is a word alone. */
export function unknownOptions(text: string): string[] {
  if (!text.includes(' ')) return []
  const all = [PROGRAM, ...everyCommand(PROGRAM)]
  return [...text.replace(/useradd --system/g, '').matchAll(/(?<![\w-])--[a-z][a-z-]+/g)]
    .map(([option]) => option)
    .filter((option) => !all.some((command) => hasOption(command, option)))
}

export function everyCommand(command: Command): Command[] {
  return command.commands.flatMap((subcommand) => [subcommand, ...everyCommand(subcommand)])
}

interface SchemaNode {
  properties?: Record<string, SchemaNode>
  additionalProperties?: SchemaNode | boolean
  items?: SchemaNode
}

/** Settings of others that look like a field: Spark's and Delta's own. */
const OF_OTHERS = /^(spark\.(executor|sql|hadoop)|delta)\./

/** `raw.retention_days`: fields of a declaration, always with their full path. */
export function unknownFields(text: string): string[] {
  const roots = [
    ...Object.keys((DATASET_SCHEMA as SchemaNode).properties ?? {}),
    'kafka',
    'files',
    'gate',
    'sasl',
    'tls',
  ]
  const dotted = /(?<![\w./@"-])([a-z_]+(?:\.[a-zA-Z_]+)+)(?![\w(/"])/g
  return [...text.matchAll(dotted)]
    .map(([, path]) => path)
    .filter((path) => roots.includes(path.split('.')[0]) && !OF_OTHERS.test(path))
    .filter((path) => !/\.(ts|md|json|yaml|csv|xml|proto)$/.test(path) && !isField(path.split('.')))
}

function isField(path: string[]): boolean {
  let node: SchemaNode | undefined = DATASET_SCHEMA as SchemaNode
  for (const name of path) {
    const inner: SchemaNode | undefined = node?.items ?? node
    node = inner?.properties?.[name] ?? anyOf(inner?.additionalProperties)
  }
  return node !== undefined
}

/** Of an object with free keys: what each of them is. */
const anyOf = (more: SchemaNode | boolean | undefined): SchemaNode | undefined =>
  typeof more === 'object' ? more : undefined

/** `sla_window_hours`: names that neither a schema nor the code knows. */
export function unknownNames(text: string, known: ReadonlySet<string>): string[] {
  return [...text.matchAll(/(?<![\w./-])[a-z]+(?:_[a-z]+)+(?![\w/(-])(?!\.\w)/g)]
    .map(([name]) => name)
    .filter((name) => !known.has(name))
}

/**
 * Names of properties, variables and fields in the code, and columns of the sample datasets that examples use.
 * What only a text says is not among them.
 */
export function namesInCode(paths = filesBelow('src', '.ts')): Set<string> {
  const columns = filesBelow('datasets', '.yaml').flatMap((path) => [
    ...readFileSync(path, 'utf8').matchAll(/\bname: (\w+)/g),
  ])
  const names = new Set<string>(columns.map(([, name]) => name))
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit)
    if (typeof value !== 'object' || value === null) return
    const node = value as Node
    if (node.type === 'Identifier' && node.name !== undefined) names.add(node.name)
    // What code compares or looks up: a word alone.
    if (node.type === 'Literal' && /^[a-z]+(_[a-z]+)*$/.test(String(node.value)))
      names.add(String(node.value))
    for (const child of Object.values(node)) visit(child)
  }
  for (const path of paths) visit(parseSync(path, readFileSync(path, 'utf8')).program)
  return names
}

/** Pages and routes: `docs/service.md`, `docs/decisions/0009`, `GET /api/v1/tenants/{}/jobs`. */
export function unknownPages(text: string): string[] {
  const pages = [...text.matchAll(/(?<![\w/])docs(?:\/[\w-]+)+(?:\.\w+)?/g)].map(([path]) => path)
  const routes = [...text.matchAll(/(?:([A-Z]+) )?\/api\/v1(\/[^\s`'"),;?]+)/g)]
  return [
    ...pages.filter((path) => !existsSync(path) && !isDecision(path)),
    ...routes.filter(([, method, path]) => !isRoute(method, path.replace(/\.$/, ''))).map(([route]) => route),
  ]
}

/** A decision may go by its number. */
const isDecision = (path: string): boolean =>
  /^docs\/decisions\/\d{4}$/.test(path) &&
  readdirSync('docs/decisions').some((name) => name.startsWith(`${path.slice(-4)}-`))

/** Those that are no data: the document, the page, the stream of events, the metrics. */
const OTHER_ROUTES = ['/openapi.json', '/reference', '/events/stream', '/metrics']

function isRoute(method: string | undefined, path: string): boolean {
  const asked = path.split('/')
  const fits = (route: string): boolean => {
    const parts = route.split('/')
    return (
      parts.length === asked.length &&
      parts.every(
        (part, i) => part === asked[i] || (part.startsWith(':') && /^([A-Z_]+|\{.*\})$/.test(asked[i])),
      )
    )
  }
  return (
    OTHER_ROUTES.includes(path) ||
    ROUTES.some((route) => fits(route.path) && (method === undefined || method === route.method))
  )
}

/** Links of a page to files and headings that are not there. */
export function unknownLinks({ where, text }: Text): string[] {
  return [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)]
    .map(([, link]) => link)
    .filter((link) => {
      const [file, heading] = link.split('#')
      const path = file === '' ? where : join(dirname(where), file)
      if (!existsSync(path)) return true
      return heading !== undefined && !anchorsOf(readFileSync(path, 'utf8')).includes(heading)
    })
}

const anchorsOf = (page: string): string[] =>
  [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  )
