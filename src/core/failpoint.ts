/**
 * Named points at which a test kills the process. Each durable step has one: after it a crash must cost nothing.
 * `HEADRACE_FAILPOINT=commit.linked:3` kills at the third passing. Off, a failpoint is one comparison with undefined.
 */

/** All failpoints, in the order in which a batch meets them. A name outside this list is refused at start. */
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
] as const

export type Failpoint = (typeof FAILPOINTS)[number]

let armed: { name: string; left: number } | undefined

/** Arms the failpoint named by a setting such as `commit.linked:3`; returns false when the name is unknown. */
export function armFailpoint(setting: string | undefined): boolean {
  if (!setting) return true
  const [name, nth] = setting.split(':')
  if (!(FAILPOINTS as readonly string[]).includes(name)) return false
  armed = { name, left: Number(nth ?? 1) }
  return true
}

/** Passes a failpoint: SIGKILL to this process, with no chance to clean up, when it is armed and its turn has come. */
export function failpoint(name: Failpoint): void {
  if (armed === undefined || armed.name !== name) return
  armed.left -= 1
  if (armed.left === 0) process.kill(process.pid, 'SIGKILL')
}
