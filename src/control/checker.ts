/**
 * Checks the settings of jobs in separate processes, kept warm, with a deadline and a memory limit. A
 * declaration is text that a tenant wrote; requests of others, leases and the scheduler must not wait for it.
 * Threads would not do: V8 ends the whole process if a thread runs out of memory at the wrong moment. A
 * tenant has one check at a time, so the other process stays free for other tenants.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { failure, type HeadraceError } from '../core/errors.ts'
import { LIMITS } from '../core/limits.ts'
import type { JobFields } from '../state/jobs.ts'
import { entryOf } from '../host/package-root.ts'
import { foreignVariable } from '../host/settings.ts'

/** A job whose settings are JSON text. */
export type JobTexts = Omit<JobFields, 'source_config' | 'destination_config'> &
  Record<'source_config' | 'destination_config', string>

/** A request to a checking process (main/check-child.ts). */
export interface ToChecker {
  job: JobTexts
  nowMs: number
}

/** The result of a check. Empty if the settings are valid. */
export type FromChecker = { code?: HeadraceError['code']; params?: Record<string, unknown> }

export interface Checker {
  /**
   * Throws the first mistake of the settings, or `declaration_too_large`, `check_too_long` or `check_busy`.
   */
  check(tenantId: string, job: JobFields, now: Date): Promise<void>
  close(): Promise<void>
}

export interface CheckLimits {
  processes: number
  /** For one check, from the moment a process gets it. */
  deadlineMs: number
  memoryMib: number
  /** How many checks of one tenant may wait for their turn. */
  waiting: number
}

const CHECK_LIMITS: CheckLimits = { processes: 2, deadlineMs: 10_000, memoryMib: 256, waiting: 8 }

interface Asked {
  tenantId: string
  message: ToChecker
  done(answer: FromChecker): void
}

interface Desk {
  child: ChildProcess
  busy: Asked | undefined
  timer: NodeJS.Timeout | undefined
}

export function createChecker(limits: CheckLimits = CHECK_LIMITS): Checker {
  const desks = new Set<Desk>()
  const queue: Asked[] = []
  const tooLong: FromChecker = {
    code: 'check_too_long',
    params: { seconds: limits.deadlineMs / 1_000, memory: limits.memoryMib },
  }
  const settle = (desk: Desk, answer: FromChecker): void => {
    const asked = desk.busy
    clearTimeout(desk.timer)
    desk.busy = undefined
    asked?.done(answer)
    work()
  }
  const start = (): Desk => {
    const child = startChild(limits)
    const desk: Desk = { child, busy: undefined, timer: undefined }
    child.on('message', (answer: FromChecker) => settle(desk, answer))
    const ended = (): void => {
      desks.delete(desk)
      settle(desk, tooLong)
    }
    child.on('error', ended)
    child.on('exit', ended)
    desks.add(desk)
    return desk
  }
  const begin = (desk: Desk, asked: Asked): void => {
    desk.busy = asked
    // The next check starts a new process.
    desk.timer = setTimeout(() => desk.child.kill('SIGKILL'), limits.deadlineMs)
    desk.child.send(asked.message, () => undefined)
  }
  const work = (): void => {
    for (;;) {
      const idle = [...desks].find((desk) => desk.busy === undefined)
      if (idle === undefined && desks.size >= limits.processes) return
      const busy = new Set([...desks].map((desk) => desk.busy?.tenantId))
      const next = queue.findIndex((asked) => !busy.has(asked.tenantId))
      if (next === -1) return
      begin(idle ?? start(), queue.splice(next, 1)[0])
    }
  }
  return {
    async check(tenantId, job, now) {
      const texts = withTexts(job)
      const count = queue.filter((asked) => asked.tenantId === tenantId).length
      if (count >= limits.waiting) throw failure('check_busy', { count, seconds: 1 })
      const answer = await new Promise<FromChecker>((done) => {
        queue.push({ tenantId, message: { job: texts, nowMs: now.getTime() }, done })
        work()
      })
      if (answer.code !== undefined) throw failure(answer.code, answer.params)
    },
    async close() {
      for (const { child } of desks) child.kill('SIGKILL')
    },
  }
}

function startChild({ memoryMib }: CheckLimits): ChildProcess {
  const child = fork(entryOf('check-child'), [], {
    execArgv: [`--max-old-space-size=${memoryMib}`, '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    serialization: 'advanced',
    env: { PATH: foreignVariable('PATH'), NODE_COMPILE_CACHE: getCompileCacheDir() ?? '' },
  })
  // The child ends with this process, which does not wait for it.
  child.unref()
  child.channel?.unref()
  return child
}

/**
 * The job with its settings as JSON. Their length is checked before the transfer. A text is transferred at
 * once; an object of many fields would be copied field by field.
 */
function withTexts({ source_config: source, destination_config: destination, ...rest }: JobFields): JobTexts {
  const { declaration } = source
  const bytes = typeof declaration === 'string' ? Buffer.byteLength(declaration) : 0
  if (bytes > LIMITS.declarationBytes)
    throw failure('declaration_too_large', {
      what: 'source_config.declaration',
      bytes,
      most: LIMITS.declarationBytes,
    })
  return {
    ...rest,
    source_config: configText('source_config', source),
    destination_config: configText('destination_config', destination),
  }
}

function configText(what: string, config: object): string {
  const text = JSON.stringify(config)
  const bytes = Buffer.byteLength(text)
  if (bytes > LIMITS.jobConfigBytes)
    throw failure('declaration_too_large', { what, bytes, most: LIMITS.jobConfigBytes })
  // JSON writes a number such as 1e999 as null, and would store it so. Only texts with a null need this
  // search.
  if (text.includes('null')) JSON.stringify(config, (name, value: unknown) => finite(what, name, value))
  return text
}

function finite(what: string, name: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw failure('request_invalid', { reason: `${what} has a number in ${name} that is too large.` })
  return value
}
