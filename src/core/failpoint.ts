/**
 * Named points at which a test kills the process. Each durable step has one: a crash after it must cost
 * nothing. `HEADRACE_FAILPOINT=commit.linked:3` kills at the third pass. When it is off, a failpoint costs
 * one comparison with undefined.
 */

/**
 * All failpoints, in the order in which a batch passes them; at the end, those of an execution of the service
 * between hold and release. A start with any other name is refused.
 */
export const FAILPOINTS = [
  'decode.message',
  'file.written',
  'file.synced',
  'folder.synced',
  'batch.prepared',
  'commit.before',
  'commit.temporary_synced',
  'commit.linked',
  'commit.done',
  'checkpoint.written',
  'checkpoint.pointed',
  'index.written',
  'batch.planned',
  'batch.files_written',
  'compact.files_written',
  'compact.group_done',
  'archive.copied',
  'archive.committed',
  'vacuum.deleted',
  'delete.files_written',
  'reprocess.decoded',
  'reprocess.published',
  'cycle.deciding',
  'cycle.booked',
  'run.claiming',
  'run.claimed',
  'run.started',
  'run.ended',
  'run.settling',
  'run.settled',
] as const

export type Failpoint = (typeof FAILPOINTS)[number]

let armed: { name: string; left: number; place: string | undefined } | undefined

/**
 * Arms the failpoint named by a setting such as `commit.linked:3`; returns false when the name is unknown.
 */
export function armFailpoint(setting: string | undefined): boolean {
  if (!setting) return true
  const [, name, place, nth] = /^([\w.]+)(?:@([\d:]+)|:(\d+))?$/.exec(setting) ?? []
  if (!(FAILPOINTS as readonly string[]).includes(name)) return false
  armed = { name, left: place === undefined ? Number(nth ?? 1) : -1, place }
  return true
}

/**
 * True while this failpoint is armed. Callers check it where building the place (a single message) is
 * expensive.
 */
export function isArmed(name: Failpoint): boolean {
  return armed?.name === name
}

/**
 * Passes a failpoint that is armed for one place: `decode.message@2:117` kills at offset 117 of partition 2.
 */
export function failpointAt(name: Failpoint, place: string): void {
  if (armed?.name === name && armed.place === place) process.kill(process.pid, 'SIGKILL')
}

/**
 * Passes a failpoint: if it is armed and its turn has come, SIGKILL ends the process without any clean-up.
 */
export function failpoint(name: Failpoint): void {
  if (armed === undefined || armed.name !== name) return
  armed.left -= 1
  if (armed.left === 0) process.kill(process.pid, 'SIGKILL')
}

let trap: { does: string; value: string } | undefined

/**
 * Arms a trap: with `refuse:VALUE` the engine refuses to write rows that contain this text, with `kill:VALUE`
 * the process dies when it writes them, with `hang:VALUE` decoding a message with this text never ends.
 * Returns false for any other setting.
 */
export function armTrap(setting: string | undefined): boolean {
  if (!setting) return true
  const [, does, value] = /^(refuse|kill|hang):(.+)$/.exec(setting) ?? []
  if (does === undefined) return false
  trap = { does, value }
  return true
}

/** The value of the trap that is armed for this action, if any. */
export function trapFor(does: 'refuse' | 'kill' | 'hang'): string | undefined {
  return trap?.does === does ? trap.value : undefined
}
