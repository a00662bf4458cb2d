/** How long the service keeps what would else grow for ever, as its settings say. */
import { failure } from '../core/errors.ts'

export interface Retention {
  logsDays: number
  eventsDays: number
}

/** HEADRACE_KEEP_LOGS_DAYS and HEADRACE_KEEP_EVENTS_DAYS. Throws `usage` for what is no number of days. */
export function retentionOf(env: NodeJS.ProcessEnv = process.env): Retention {
  const days = (name: string, usual: number): number => {
    const text = env[name] ?? ''
    if (text === '') return usual
    if (!/^[1-9]\d{0,4}$/.test(text))
      throw failure('usage', {
        reason: `${name} must be a whole number of days from 1 to 99999, and is ${text.slice(0, 40)}`,
      })
    return Number(text)
  }
  return { logsDays: days('HEADRACE_KEEP_LOGS_DAYS', 30), eventsDays: days('HEADRACE_KEEP_EVENTS_DAYS', 400) }
}
