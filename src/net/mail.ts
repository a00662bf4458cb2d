/**
 * Mail for people who want events without their own receiver: through the operator's SMTP server, one mail
 * for all events since the last.
 */
import { ALERTS } from '../core/service/alerts.ts'
import { failure, reasonOf } from '../core/errors.ts'
import type { Settings } from '../core/settings.ts'

export interface Mailer {
  /** Throws `source_unreachable` if the server does not accept it. */
  send(to: string, events: Record<string, unknown>[]): Promise<void>
}

/** The mailer. Throws `setting_missing` if the operator has configured none. */
export function needMailer(mail: Mailer | undefined): Mailer {
  if (mail === undefined)
    throw failure('setting_missing', {
      where: 'the environment of the service',
      setting: 'HEADRACE_SMTP_URL',
      example: 'HEADRACE_SMTP_URL=smtp://USER:PASSWORD@HOST:587 HEADRACE_MAIL_FROM=headrace@example.com',
    })
  return mail
}

/** Sends through the operator's server, from the operator's sender. Undefined: the service sends no mail. */
export function mailerOf({
  smtp_url: url,
  mail_from: from,
}: Pick<Settings, 'smtp_url' | 'mail_from'>): Mailer | undefined {
  if (url === undefined) return undefined
  if (from === undefined)
    throw failure('usage', {
      reason: 'HEADRACE_SMTP_URL is set, HEADRACE_MAIL_FROM is not: a mail needs a sender',
    })
  const { host } = new URL(url)
  return {
    async send(to, events) {
      // Loaded with the first mail: most installations send none.
      const { createTransport } = await import('nodemailer')
      const transport = createTransport(url, {
        connectionTimeout: 10_000,
        greetingTimeout: 10_000,
        socketTimeout: 30_000,
      } as never)
      // If the answer was lost, the same mail is sent again; its ID identifies it.
      const messageId = `<events-${String(events[0].event_id)}-${String(events.at(-1)?.event_id)}.${to.replace(/[^\w.-]/g, '_')}@headrace>`
      await transport
        .sendMail({ from, to, messageId, subject: subjectOf(events), text: events.map(lineOf).join('\n\n') })
        .catch((error: unknown) => {
          throw failure('source_unreachable', { address: host, reason: reasonOf(error) }, error)
        })
        .finally(() => transport.close())
    },
  }
}

function subjectOf(events: Record<string, unknown>[]): string {
  const names = [...new Set(events.map((event) => String(event.event)))]
  return `[headrace] ${events.length === 1 ? names[0] : `${events.length} events: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ' ...' : ''}`}`
}

/** Time, event and tenant; then the numbers. */
function lineOf({ at, event, tenant_id: tenant, subject, data }: Record<string, unknown>): string {
  const facts = Object.entries(data as object).map(
    ([name, value]) => `  ${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  )
  const why =
    ALERTS.includes(String(event)) && String(event).startsWith('execution.')
      ? [`  headrace why ${String(subject)}${tenant === null ? '' : ` --tenant ${String(tenant)}`}`]
      : []
  return [
    `${(at as Date).toISOString()} ${String(event)}${tenant === null ? '' : ` of tenant ${String(tenant)}`}${subject === null ? '' : `: ${String(subject)}`}`,
    ...facts,
    ...why,
  ].join('\n')
}
