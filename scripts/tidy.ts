/**
 * The style of the project as a test: arrows between folders point down, no cycles, no banned names or calls,
 * files and functions of a size one can read, and the error table agrees with its page. Each rule has a test
 * that shows it red.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ERRORS } from '../src/core/errors.ts'
import { checkBindingNames } from './binding-names.ts'
import { checkDecisions, readDecisions } from './decisions.ts'
import { checkWidth } from './line-width.ts'
import type { SourceFile, Finding } from './findings.ts'
import { importedPath, importsOf } from './imports.ts'
import { lineOf, visitNodes } from './syntax-tree.ts'
import { checkTestPlace } from './test-place.ts'

const PURE = ['dataset', 'formats', 'quality', 'planning', 'scheduling', 'learning']
const ADAPTERS = ['lakehouse', 'engines', 'connectors', 'state', 'secrets', 'sample']

/**
 * What a folder below src/ may import, besides itself: other folders, or single files and folders of them.
 * Arrows point down this list. A folder that is not listed may import nothing, and nobody imports main.
 */
export const MAY_IMPORT: Record<string, string[]> = {
  core: [],
  ...Object.fromEntries(PURE.map((folder) => [folder, ['core']])),
  quality: ['core', 'dataset'],
  planning: ['core', 'dataset'],
  ...Object.fromEntries(ADAPTERS.map((folder) => [folder, ['core', ...PURE]])),
  host: ['core', 'engines', 'secrets'],
  net: ['core', 'connectors'],
  runner: ['core', ...PURE],
  operations: ['core', ...PURE, ...ADAPTERS, 'host', 'net', 'runner'],
  executions: ['core', ...PURE, ...ADAPTERS, 'host', 'net', 'runner', 'operations'],
  // PostgreSQL is part of the product: the use cases name the rows that they mean.
  control: ['core', ...PURE, 'connectors', 'state', 'secrets', 'host', 'net', 'executions'],
  // What the service can do and the shapes of its requests, not how it does it.
  api: ['core', 'dataset', 'control/service', 'control/schemas'],
  cli: ['core', 'dataset', 'operations/app', 'control/serve', 'host/home-folder', 'host/settings'],
}
const ROOMS = Object.keys(MAY_IMPORT)
MAY_IMPORT.main = ROOMS

/** The composition root stays small: entry points and wiring. */
const MAIN_FILES = 20
const MAIN_LINES = 1_500

const FILE_LINES = 330
const FUNCTION_LINES = 60
const BANNED_NAMES = /(^|\/)(utils?|helpers?|common|types|misc|index)\.ts$/
/** Pure folders must not touch the world, with these exceptions, which compute only. */
const PURE_NODE = ['node:buffer', 'node:zlib']

interface Ban {
  pattern: RegExp
  where: (path: string) => boolean
  instead: string
}

const inSource = (path: string): boolean => path.startsWith('src/')
const CLOCKLESS =
  /^src\/(core|dataset|formats|quality|planning|scheduling|learning|lakehouse|runner|control|sample)\//

const BANNED_CALLS: Ban[] = [
  { pattern: /new Error\(/, where: inSource, instead: 'failure() of core/errors.ts' },
  {
    pattern: /\beval\(|new Function\(/,
    where: inSource,
    instead: 'data that is interpreted, never code that is made',
  },
  { pattern: /export default\b/, where: inSource, instead: 'a named export' },
  { pattern: /^\s*(export )?(const )?enum /, where: inSource, instead: 'a union of literals' },
  {
    pattern: /Date\.now\(|Math\.random\(/,
    where: (path) => CLOCKLESS.test(path),
    instead: 'the clock or chance that main/ passes in',
  },
  {
    pattern: /new Promise.*\bsetTimeout\(|\bsetTimeout\b.*timers\/promises/,
    where: inSource,
    instead: 'pause() or retry() of core/waiting.ts',
  },
  {
    pattern: /'kysely'|\b(selectFrom|insertInto|updateTable|deleteFrom)\(/,
    where: (path) => inSource(path) && !path.startsWith('src/state/'),
    instead: 'a function of state/, where all SQL of the control database is',
  },
  {
    pattern: /\bprocess\.env\b|\benv\b.*\} = process\b|from 'node:process'/,
    where: (path) => inSource(path) && path !== 'src/host/settings.ts',
    instead: 'a setting of core/settings.ts, read through host/settings.ts',
  },
  { pattern: /console\.(log|error|warn)\(/, where: inSource, instead: 'cli/output.ts or the logger' },
  {
    pattern: /\b(it|test|describe)\.(only|todo)\(/,
    where: (path) => path.endsWith('.test.ts'),
    instead: 'the whole suite',
  },
]

/** Checks all files given; an empty list means tidy. */
export function findUntidy(files: SourceFile[]): Finding[] {
  return [
    ...files.flatMap((file) => [
      ...checkNames(file),
      ...checkBindingNames(file),
      ...checkCalls(file),
      ...checkLengths(file),
      ...checkWidth(file),
      ...checkImports(file),
      ...checkTestPlace(file, MAY_IMPORT),
    ]),
    ...findCycles(files),
    ...checkMain(files),
  ]
}

function checkMain(files: SourceFile[]): Finding[] {
  const main = files.filter((file) => file.path.startsWith('src/main/'))
  const lines = main.reduce((sum, file) => sum + file.text.split('\n').length - 1, 0)
  if (main.length <= MAIN_FILES && lines <= MAIN_LINES) return []
  const message = `${main.length} files with ${lines} lines, at most ${MAIN_FILES} with ${MAIN_LINES}`
  return [{ rule: 'main-size', path: 'src/main', line: 1, message }]
}

function checkNames(file: SourceFile): Finding[] {
  return BANNED_NAMES.test(file.path)
    ? [{ rule: 'name', path: file.path, line: 1, message: 'a file is named for what it holds' }]
    : []
}

function checkCalls(file: SourceFile): Finding[] {
  const code = withoutComments(file.text)
  return BANNED_CALLS.filter((ban) => ban.where(file.path)).flatMap((ban) =>
    code.split('\n').flatMap((line, i) =>
      ban.pattern.test(line)
        ? [
            {
              rule: 'call',
              path: file.path,
              line: i + 1,
              message: `${line.trim().slice(0, 60)}: use ${ban.instead}`,
            },
          ]
        : [],
    ),
  )
}

function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|\s)\/\/.*$/gm, '')
}

function checkLengths(file: SourceFile): Finding[] {
  const findings: Finding[] = []
  const lines = file.text.split('\n').length
  if (lines > FILE_LINES)
    findings.push({
      rule: 'file-length',
      path: file.path,
      line: 1,
      message: `${lines} lines, at most ${FILE_LINES}`,
    })
  visitNodes(file, ({ type, start, end }) => {
    if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(type)) return
    const length = lineOf(file, end) - lineOf(file, start) + 1
    if (length > FUNCTION_LINES)
      findings.push({
        rule: 'function-length',
        path: file.path,
        line: lineOf(file, start),
        message: `${length} lines, at most ${FUNCTION_LINES}`,
      })
  })
  return findings
}

function checkImports(file: SourceFile): Finding[] {
  const folder = /^src\/(\w+)\//.exec(file.path)?.[1]
  if (folder === undefined) return []
  return importsOf(file).flatMap(({ target, line }) => {
    const message = wrongArrow(folder, file.path, target)
    return message === undefined ? [] : [{ rule: 'arrow', path: file.path, line, message }]
  })
}

function wrongArrow(folder: string, path: string, imported: string): string | undefined {
  const pure = PURE.includes(folder) || folder === 'core'
  if (imported.startsWith('node:'))
    return pure && !PURE_NODE.includes(imported) ? `${folder} is pure and imports ${imported}` : undefined
  if (!imported.startsWith('.'))
    return folder === 'core' ? `core has no dependency and imports ${imported}` : undefined
  const target = importedPath(path, imported) as string
  if (!target.startsWith('src/')) return `src imports ${target}`
  if (!target.startsWith(`src/${folder}/`))
    return allows(folder, target) ? undefined : `${folder} may not import ${target.slice('src/'.length)}`
  return areSiblings(path, target) ? `siblings ${path} and ${target} meet only in main` : undefined
}

const allows = (folder: string, target: string): boolean =>
  (MAY_IMPORT[folder] ?? []).some(
    (place) => target === `src/${place}.ts` || target.startsWith(`src/${place}/`),
  )

/** connectors/kafka and connectors/files are siblings: they do not know each other. */
function areSiblings(path: string, target: string): boolean {
  const [, folder, own] = path.split('/')
  const other = target.split('/')[2]
  return (
    ['connectors', 'engines'].includes(folder) &&
    own !== other &&
    !own.endsWith('.ts') &&
    !other.endsWith('.ts')
  )
}

/** Cycles of imports, those of types included: who reads one file of a circle must read them all. */
export function findCycles(files: SourceFile[]): Finding[] {
  const targets = (file: SourceFile): string[] =>
    importsOf(file).flatMap((imported) => importedPath(file.path, imported.target) ?? [])
  const graph = new Map(files.map((file) => [file.path, targets(file)]))
  const done = new Set<string>()
  const findings: Finding[] = []
  const visit = (path: string, stack: string[]): void => {
    if (stack.includes(path)) {
      findings.push({
        rule: 'cycle',
        path,
        line: 1,
        message: [...stack.slice(stack.indexOf(path)), path].join(' -> '),
      })
      return
    }
    if (done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...stack, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return findings
}

/** The page of errors must list exactly the table's rows, with its words. */
export function checkErrorPage(page: string): Finding[] {
  const listed = new Set([...page.matchAll(/^## `(\w+)`$/gm)].map(([, code]) => code))
  const say = (code: string, message: string): Finding => ({
    rule: 'errors',
    path: 'docs/reference/errors.md',
    line: 1,
    message: `${code} ${message}`,
  })
  const missing = Object.keys(ERRORS)
    .filter((code) => !listed.has(code))
    .map((code) => say(code, 'is missing'))
  const extra = [...listed]
    .filter((code) => !(code in ERRORS))
    .map((code) => say(code, 'is not in the table'))
  const stale = Object.entries(ERRORS).filter(
    ([code, row]) =>
      listed.has(code) && !(page.includes(row.message.split('\n')[0]) && page.includes(row.next)),
  )
  return [...missing, ...extra, ...stale.map(([code]) => say(code, 'has other words'))]
}

export function readSources(root: string, folders: string[]): SourceFile[] {
  return folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })),
  )
}

if (import.meta.main) {
  const findings = [
    ...findUntidy(readSources('.', ['src', 'scripts', 'test'])),
    ...checkErrorPage(readFileSync('docs/reference/errors.md', 'utf8')),
    ...checkDecisions(readDecisions('.')),
  ]
  for (const finding of findings)
    process.stdout.write(`${finding.path}:${finding.line}  ${finding.rule}: ${finding.message}\n`)
  process.stdout.write(findings.length === 0 ? 'tidy\n' : `${findings.length} finding(s)\n`)
  process.exitCode = findings.length === 0 ? 0 : 1
}
