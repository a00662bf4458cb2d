/** A failpoint that kills one process and spares its successors: they must get through. */
import { closeSync, openSync } from 'node:fs'

/** With HEADRACE_FAILPOINT_ONCE only the first process that can create that file may arm its failpoint. */
export function mayArm(): boolean {
  const once = process.env.HEADRACE_FAILPOINT_ONCE
  if (!once) return true
  try {
    closeSync(openSync(once, 'wx'))
    return true
  } catch {
    return false
  }
}
