/** How long the service keeps data that would otherwise grow without limit, by its settings. */
import type { Settings } from '../core/settings.ts'

export interface Retention {
  logsDays: number
  eventsDays: number
}

export const retentionOf = (settings: Pick<Settings, 'keep_logs_days' | 'keep_events_days'>): Retention => ({
  logsDays: settings.keep_logs_days,
  eventsDays: settings.keep_events_days,
})
