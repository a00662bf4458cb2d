/** A watched folder: finds new and complete files by name and content, never only by modification time. */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile, readdir, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { failure, storageFailure } from '../../core/errors.ts'

export interface FoundFile {
  /** Path relative to the folder, with `/`. */
  name: string
  path: string
  size: number
  modifiedMs: number
}

/**
 * Lists the matching files in order of name. Hidden files, and files that still grow, are left for later: a
 * file counts when its size equals that of the previous listing, or when it has been quiet for `quietMs`.
 */
export function createFolder(
  root: string,
  pattern: string,
  quietMs: number,
  nowMs: () => number,
): { list(): Promise<{ complete: FoundFile[]; growing: number }> } {
  const matches = globOf(pattern)
  const sizes = new Map<string, number>()
  return {
    async list() {
      const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(
        (error: unknown) => {
          throw storageFailure(error, 'list', root)
        },
      )
      const found: FoundFile[] = []
      let growing = 0
      for (const entry of entries) {
        if (!entry.isFile() || entry.name.startsWith('.') || !matches.test(entry.name)) continue
        const path = join(entry.parentPath, entry.name)
        const facts = await stat(path).catch(() => undefined)
        if (facts === undefined) continue
        const steady = sizes.get(path) === facts.size || nowMs() - facts.mtimeMs >= quietMs
        sizes.set(path, facts.size)
        if (!steady) growing += 1
        else
          found.push({
            name: relative(root, path).split('\\').join('/'),
            path,
            size: facts.size,
            modifiedMs: facts.mtimeMs,
          })
      }
      return { complete: found.toSorted((a, b) => (a.name < b.name ? -1 : 1)), growing }
    },
  }
}

/** `*` and `?` as in a shell, and `{a,b}` for one of several texts. */
function globOf(pattern: string): RegExp {
  const literal = (text: string): string =>
    text
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')
  const source = pattern.replace(/\{([^{}]*,[^{}]*)\}|[^{]+|\{/g, (text, choice: string | undefined) =>
    choice === undefined ? literal(text) : `(?:${choice.split(',').map(literal).join('|')})`,
  )
  return new RegExp(`^${source}$`, 's')
}

/** A whole file. Refused if it is no longer the listed one. */
export async function readWhole(file: FoundFile): Promise<Buffer> {
  const bytes = await readFile(file.path).catch((error: unknown) => {
    throw storageFailure(error, 'read', file.path)
  })
  if (bytes.length !== file.size) throw failure('file_changed', { path: file.path })
  return bytes
}

/** The file in chunks, for files larger than a record may be. */
export async function* readChunks(file: FoundFile, chunkBytes: number): AsyncGenerator<Buffer> {
  let read = 0
  for await (const chunk of createReadStream(file.path, { highWaterMark: chunkBytes })) {
    read += (chunk as Buffer).length
    yield chunk as Buffer
  }
  if (read !== file.size) throw failure('file_changed', { path: file.path })
}

/** 52 bits of a SHA-256: a mark is a number, and a changed file must be detected. */
export function contentMark(hash: ReturnType<typeof createHash>): number {
  return Number.parseInt(hash.digest('hex').slice(0, 13), 16)
}

export function newHash(): ReturnType<typeof createHash> {
  return createHash('sha256')
}
