/**
 * The folder of an attempt, `work/EXECUTION/GENERATION`: its own, so an attempt that slept and woke writes
 * nowhere that another one reads. The parts of a table that an earlier attempt has read move to the next.
 */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { adoptParts, PARTS_FOLDER } from './part-journal.ts'

interface Attempt {
  execution_id: string
  generation: bigint
}

/** The folder of all attempts of an execution. */
export const executionFolder = (home: string, executionId: string): string => join(home, 'work', executionId)

const attemptFolder = (home: string, { execution_id, generation }: Attempt): string =>
  join(executionFolder(home, execution_id), String(generation))

/** Creates the folder of an attempt, and removes those of earlier attempts. */
export async function beginAttempt(home: string, attempt: Attempt): Promise<string> {
  const [all, own] = [executionFolder(home, attempt.execution_id), attemptFolder(home, attempt)]
  await mkdir(own, { recursive: true })
  const before = (await readdir(all))
    .filter((name) => /^\d+$/.test(name) && BigInt(name) < attempt.generation)
    .toSorted((a, b) => Number(BigInt(b) - BigInt(a)))
  // Only the newest: it has taken over what the earlier ones had kept.
  if (before.length > 0) await adoptParts(join(all, before[0]), own)
  for (const name of before) await rm(join(all, name), { recursive: true, force: true })
  return own
}

/**
 * Keeps what the next attempt can continue with, and removes the rest: logins must not lie there while it
 * waits.
 */
export async function leaveAttempt(home: string, attempt: Attempt): Promise<void> {
  const folder = attemptFolder(home, attempt)
  for (const entry of await readdir(folder).catch(() => []))
    if (entry !== PARTS_FOLDER) await rm(join(folder, entry), { recursive: true, force: true })
}
