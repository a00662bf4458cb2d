/**
 * Where an attempt works: `work/EXECUTION/GENERATION`, its own, so that one that slept and woke writes
 * nowhere another reads. What an earlier attempt has read of a table goes over to the next.
 */
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { adoptParts, PARTS_FOLDER } from './part-journal.ts'

interface Attempt {
  execution_id: string
  generation: bigint
}

/** Folder of all attempts of an execution. */
export const executionFolder = (home: string, executionId: string): string => join(home, 'work', executionId)

const attemptFolder = (home: string, { execution_id, generation }: Attempt): string =>
  join(executionFolder(home, execution_id), String(generation))

/** Makes the attempt's folder, and ends those of the ones before it. */
export async function beginAttempt(home: string, attempt: Attempt): Promise<string> {
  const [all, own] = [executionFolder(home, attempt.execution_id), attemptFolder(home, attempt)]
  await mkdir(own, { recursive: true })
  const before = (await readdir(all))
    .filter((name) => /^\d+$/.test(name) && BigInt(name) < attempt.generation)
    .toSorted((a, b) => Number(BigInt(b) - BigInt(a)))
  // Only the newest: it has taken over what the ones before it had kept.
  if (before.length > 0) await adoptParts(join(all, before[0]), own)
  for (const name of before) await rm(join(all, name), { recursive: true, force: true })
  return own
}

/**
 * Leaves what the next attempt can go on with, and nothing else: logins must not lie there while it waits.
 */
export async function leaveAttempt(home: string, attempt: Attempt): Promise<void> {
  const folder = attemptFolder(home, attempt)
  for (const entry of await readdir(folder).catch(() => []))
    if (entry !== PARTS_FOLDER) await rm(join(folder, entry), { recursive: true, force: true })
}
