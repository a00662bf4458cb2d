/**
 * Where the project, or the installed package, lies: both have datasets/ and deploy/ beside the code's
 * folder.
 */
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = dirname(fileURLToPath(import.meta.url))

export const PACKAGE_ROOT = resolve(HERE, '..', '..')

/** Path of an entry point in main/: .ts in the clone, .js in an installed package. */
export function entryOf(name: string): string {
  return join(HERE, '..', 'main', `${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`)
}
