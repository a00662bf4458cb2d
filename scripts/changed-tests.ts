/**
 * Which tests a change touches: by the imports of each file, by the programs that it starts and by the files
 * that it names. vitest's own `related` knows imports only: a test that runs the CLI, a page or a Python program
 * would stay out.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, dirname, relative, resolve } from 'node:path'
import type { SourceFile } from './findings.ts'
import { importedPath, importsOf } from './imports.ts'

const TEXT = /\.(ts|md|json|yaml|proto|sh)$|^headrace$/
/** What every test depends on. */
const EVERYTHING = /^(package(-lock)?\.json|vitest\.config\.ts|tsconfig\.json|headrace|deploy\/.*)$/
/** Tests that look at all files. */
const CHECKS_ALL = /^test\/scripts\//

const git = (...args: string[]): string[] =>
  execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).split('\n').filter(Boolean)

/** Files that differ from a commit, committed or not, new ones too. By default: from where the branch left main. */
function changedFiles(since = branchPoint()): string[] {
  return [...new Set([...git('diff', '--name-only', since), ...git('ls-files', '-o', '--exclude-standard')])]
}

function branchPoint(): string {
  try {
    return git('merge-base', 'HEAD', 'main')[0]
  } catch {
    return 'HEAD'
  }
}

/** The tests that the working tree's changes touch, and of how many. */
export function testsOfChanges(since?: string): { changed: string[]; tests: string[]; of: number } {
  const changed = changedFiles(since)
  const files = projectFiles()
  const tests = touchedTests(files, changed)
  return { changed, tests, of: files.filter(({ path }) => path.endsWith('.test.ts')).length }
}

function projectFiles(): SourceFile[] {
  return [...new Set(git('ls-files', '-c', '-o', '--exclude-standard'))]
    .map((path) => ({ path, text: textOf(path) }))
    .filter((file): file is SourceFile => file.text !== undefined)
}

/** Undefined: deleted. What is no text of ours has no content that matters here. */
function textOf(path: string): string | undefined {
  try {
    return TEXT.test(path) ? readFileSync(path, 'utf8') : ''
  } catch {
    return undefined
  }
}

/** The tests that reach one of the changed files, sorted. */
export function touchedTests(files: SourceFile[], changed: string[]): string[] {
  const tests = files.map((file) => file.path).filter((path) => path.endsWith('.test.ts'))
  if (changed.length === 0) return []
  if (changed.some((path) => EVERYTHING.test(path))) return tests.toSorted()
  const users = usersOf(files)
  const touched = new Set<string>()
  const visit = (path: string): void => {
    if (touched.has(path)) return
    touched.add(path)
    users.get(path)?.forEach(visit)
  }
  changed.forEach(visit)
  return tests.filter((path) => touched.has(path) || CHECKS_ALL.test(path)).toSorted()
}

/** For each file those that need it. */
function usersOf(files: SourceFile[]): Map<string, Set<string>> {
  const paths = new Set(files.map((file) => file.path))
  const verbs = verbsOf(files)
  const users = new Map<string, Set<string>>()
  for (const file of files) {
    const texts = textsOf(file)
    const needs = file.path === PROGRAM ? [] : importedBy(file)
    for (const needed of [...needs, ...namedBy(file, texts, paths), ...startedBy(file, texts, verbs)]) {
      if (!maySay(file.path, needed)) continue
      const known = users.get(needed)
      if (known === undefined) users.set(needed, new Set([file.path]))
      else known.add(file.path)
    }
  }
  return users
}

const importedBy = (file: SourceFile): string[] =>
  file.path.endsWith('.ts')
    ? importsOf(file).flatMap(({ target, types }) => (types ? [] : (importedPath(file.path, target) ?? [])))
    : []

/** The texts in code, without what it imports; all of a page. */
function textsOf({ path, text }: SourceFile): string[] {
  if (!path.endsWith('.ts')) return [text]
  const code = text.replace(/\b(from|import) '[^']+'|\bimport\('[^']+'\)/g, '')
  return [...code.matchAll(/'([^'\n]*)'|`([^`]*)`/g)].map((match) => match[1] ?? match[2])
}

const PATH = /[\w.@-]*(?:\/[\w.@-]*[\w@-])+\/?|\b[\w-]+\.(?:md|ya?ml|json|proto)\b/g

/** Files that its texts name, those of a folder that they name, and the entry points of programs. */
function namedBy({ path, text }: SourceFile, texts: string[], paths: Set<string>): string[] {
  const entries = [...text.matchAll(/\bentryOf\('([\w-]+)'\)/g)].map(([, name]) => `src/main/${name}.ts`)
  const named = texts.flatMap((passage) => [...passage.matchAll(PATH)])
  return [
    ...entries,
    ...named.flatMap(([name]) => {
      const beside = relative('.', resolve(dirname(path), name))
      const found = [relative('.', resolve(name)), beside].filter((candidate) => paths.has(candidate))
      if (found.length > 0 || !name.includes('/')) return found
      return [...paths].filter((candidate) => candidate.startsWith(name.endsWith('/') ? name : `${name}/`))
    }),
  ]
}

/** Imports every command, and loads most of what one needs when it is called. */
const PROGRAM = 'src/main/program.ts'

/**
 * By the name of each command: the file that declares it, and what the program loads for it. Who starts the CLI
 * needs those of the commands that it names, not all.
 */
function verbsOf(files: SourceFile[]): Map<string, string[]> {
  const program = files.find((file) => file.path === PROGRAM)
  const verbs = new Map<string, string[]>()
  for (const needed of program === undefined ? [] : importedBy(program)) {
    const declared = /^src\/cli\/.*/.test(needed)
      ? (files.find((file) => file.path === needed)?.text ?? '')
      : ''
    const names = [...declared.matchAll(/\bprogram\s*\.command\('([\w-]+)/g)].map(([, name]) => name)
    for (const name of names.length > 0 ? names : [basename(needed, '.ts')])
      verbs.set(name, [...(verbs.get(name) ?? []), needed])
  }
  return verbs
}

/** By its arguments, or by a line of a shell. `test` alone is a word that tests use for much else. */
function startedBy({ path }: SourceFile, texts: string[], verbs: Map<string, string[]>): string[] {
  if (!/^(test|docs)\//.test(path) && path !== 'README.md') return []
  const starts = (text: string, verb: string): boolean =>
    text.includes(`headrace ${verb}`) ||
    (!path.endsWith('.md') && verb !== 'test' && text.split(' ').includes(verb))
  return [...verbs].flatMap(([verb, needed]) => (texts.some((text) => starts(text, verb)) ? needed : []))
}

/**
 * Pages and sources name many files that they do not need: a page needs the examples that it runs, a source other
 * sources and what is packaged with it.
 */
function maySay(path: string, needed: string): boolean {
  if (path.endsWith('.md'))
    return /^(datasets|examples|docs\/examples|src\/(main|cli|operations|host))\//.test(needed)
  if (path.startsWith('src/')) return /^(src|deploy|datasets|schemas)\//.test(needed)
  return true
}
