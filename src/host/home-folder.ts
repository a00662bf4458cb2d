/** Where an installation keeps its data. */
import { resolve } from 'node:path'
import { settings } from './settings.ts'

/** Everything that a run writes: tables, locks, secrets. */
export function homeFolder(): string {
  return resolve(settings().home)
}
