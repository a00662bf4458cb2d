/** A failpoint that kills one process and spares its successors. */
import { closeSync, openSync } from 'node:fs'
import { settings } from '../host/settings.ts'

/** With HEADRACE_FAILPOINT_ONCE only the first process that can create that file may arm its failpoint. */
export function mayArm(): boolean {
  const once = settings().failpoint_once
  if (once === undefined) return true
  try {
    closeSync(openSync(once, 'wx'))
    return true
  } catch {
    return false
  }
}
