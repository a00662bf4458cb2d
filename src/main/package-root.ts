/** Root of the project, or of the installed package: both have datasets/ and deploy/ beside the code's folder. */
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const PACKAGE_ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..')
