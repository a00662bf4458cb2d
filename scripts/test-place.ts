/**
 * Where a test lies. test/<room>/ tests src/<room>/; what spans rooms lies in the folder of its kind. So whoever
 * changes a room knows which tests to run, and finds the tests of a file without a search.
 */
import type { Finding, SourceFile } from './findings.ts'
import { importedPath, importsOf } from './imports.ts'

/** Folders of test/ that are no rooms: kinds of tests that span rooms, and what tests share. */
export const TEST_KINDS: Record<string, string> = {
  conformance: 'the same behavior from several engines, stores and readers',
  docs: 'the pages, run as a reader would run them',
  examples: 'the jobs and declarations of examples/',
  faults: 'processes, disks and links that fail',
  integration: 'a dataset from its source to its tables',
  performance: 'benchmarks and their rivals',
  scripts: 'the scripts of the project',
  service: 'the service: tenants, capacity, jobs, API',
  simulation: 'the decisions of the scheduler over many histories',
  support: 'what several tests share',
}

/** `mayImport`: what each room of src/ may import (scripts/tidy.ts). */
export function checkTestPlace(file: SourceFile, mayImport: Record<string, string[]>): Finding[] {
  const [, folder, name] = /^test\/(\w+)\/(.+\.ts)$/.exec(file.path) ?? []
  if (folder === undefined) return []
  const say = (message: string): Finding[] => [{ rule: 'test-place', path: file.path, line: 1, message }]
  const isRoom = Object.hasOwn(mayImport, folder)
  if (!isRoom && !Object.hasOwn(TEST_KINDS, folder))
    return say(`${folder} is no room of src/ and no kind of test (scripts/test-place.ts)`)
  if (!name.endsWith('.test.ts')) return []
  const targets = importsOf(file).map((imported) => importedPath(file.path, imported.target) ?? '')
  const rooms = [...new Set(targets.flatMap((target) => /^src\/(\w+)\//.exec(target)?.[1] ?? []))]
  const isAlone = targets.every((target) => target === '' || target.startsWith('src/'))
  if (!isRoom)
    return isAlone && rooms.length === 1 ? say(`tests ${rooms[0]} only: it belongs in test/${rooms[0]}`) : []
  const stands = (room: string): boolean =>
    room !== folder && mayImport[room].some((place) => place.split('/')[0] === folder)
  const above = rooms.find(stands)
  if (above !== undefined) return say(`imports ${above}, which stands above ${folder}: move it up`)
  // One without imports runs programs, and one with support may reach its room by it.
  return isAlone && rooms.length > 0 && !rooms.includes(folder) ? say(`does not import src/${folder}`) : []
}
