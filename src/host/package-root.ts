/**
 * The root of the project or of the installed package: both have datasets/ and deploy/ next to the folder of
 * the code.
 */
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = dirname(fileURLToPath(import.meta.url))

export const PACKAGE_ROOT = resolve(HERE, '..', '..')

/** Path of an entry point in main/: .ts in the clone, .js in an installed package. */
export function entryOf(name: string): string {
  return join(HERE, '..', 'main', `${name}${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`)
}
