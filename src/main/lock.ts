/**
 * One job of a kind per dataset on this machine: a friendly refusal before two writers meet at the table, where marks
 * would stop one of them anyway. The lock of a dead process is taken over.
 */
import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { failure, storageFailure } from '../core/errors.ts'
import { homeFolder } from './home-folder.ts'

export async function lockJob(job: string): Promise<() => Promise<void>> {
  const folder = join(homeFolder(), 'locks')
  const path = join(folder, `${job.replaceAll(' ', '-')}.lock`)
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      await mkdir(folder, { recursive: true })
      await using file = await open(path, 'wx')
      await file.writeFile(JSON.stringify({ pid: process.pid, since: new Date().toISOString() }))
      return () => rm(path, { force: true })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw storageFailure(error, 'write', path)
      const holder = await readHolder(path)
      if (holder !== undefined && isAlive(holder.pid)) throw failure('job_running', { job, pid: holder.pid, since: holder.since })
      await rm(path, { force: true })
    }
  }
  throw failure('job_running', { job, pid: 'unknown', since: 'just now' })
}

async function readHolder(path: string): Promise<{ pid: number; since: string } | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as { pid: number; since: string }
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return pid !== process.pid
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
