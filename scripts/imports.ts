/** What a file imports, and where a relative import leads. */
import { dirname, relative, resolve } from 'node:path'
import type { SourceFile } from './findings.ts'

export interface Import {
  target: string
  line: number
  /** Only types: nothing of it is there when the program runs. */
  types: boolean
}

export function importsOf(file: SourceFile): Import[] {
  return [
    ...file.text.matchAll(
      /^(?:import|export)\s[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\('([^']+)'\)/gms,
    ),
  ].map((match) => ({
    target: match[1] ?? match[2] ?? match[3],
    line: file.text.slice(0, match.index).split('\n').length,
    types: /^(?:import|export)\s+type\s/.test(match[0]),
  }))
}

/** Path from the project's root of what a file imports; undefined: a package. */
export function importedPath(path: string, target: string): string | undefined {
  return target.startsWith('.') ? relative('.', resolve(dirname(path), target)) : undefined
}
