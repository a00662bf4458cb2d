/** Where an installation keeps its things. */
import { resolve } from 'node:path'
import { settings } from './settings.ts'

/** Everything a run writes: tables, locks, secrets. */
export function homeFolder(): string {
  return resolve(settings().home)
}
