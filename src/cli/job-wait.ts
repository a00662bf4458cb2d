/** Waits for an execution (`headrace jobs run --wait`) and shows its status while it waits. */
import { pause } from '../core/waiting.ts'
import type { Client } from './client.ts'
import type { Output } from './output.ts'
import type { Body } from './service-output.ts'

const POLL_MS = 500
const OPEN = ['scheduled', 'booked', 'running']

/** Waits until the execution at this path of the API has ended, and returns it. */
export async function waitForEnd(client: Client, path: string, out: Output): Promise<Body> {
  for (let shown = ''; ; await pause(POLL_MS)) {
    const body = await client.call<Body>('GET', path)
    if (!OPEN.includes(String(body.status))) return body
    const text = stateText(body)
    if (text !== shown) out.say(text)
    shown = text
  }
}

/** `booked: WHY from WHEN`, `running (stage, 1.2 MB)`. */
function stateText(body: Body): string {
  const state = String(body.status)
  const reason = (body.reason as { message?: string } | null)?.message
  const progress = body.progress as { rows?: number; bytes?: number; phase?: string } | null
  const because = reason === undefined ? '' : `: ${reason}`
  const from = state === 'booked' ? ` from ${String(body.booked_from)}` : ''
  const done = progress?.bytes ? ` (${progress.phase}, ${(progress.bytes / 1e6).toFixed(1)} MB)` : ''
  return `${state}${because}${from}${done}`
}
