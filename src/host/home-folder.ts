/** Where an installation keeps its things. */
import { resolve } from 'node:path'

/**
 * Everything a run writes: tables, locks, fetched parts. HEADRACE_HOME, else .headrace in the current folder.
 */
export function homeFolder(): string {
  return resolve(process.env.HEADRACE_HOME ?? '.headrace')
}
