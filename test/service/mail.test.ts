/**
 * Events by mail: through an SMTP server, several in one, again when it refuses, and no start without a
 * sender.
 */
import { afterAll, expect, test } from 'vitest'
import { SMTPServer } from 'smtp-server'
import { settingsFrom } from '../../src/core/setting-values.ts'
import { mailerOf } from '../../src/net/mail.ts'
import { record } from '../../src/state/events.ts'
import { webhookWorld } from '../support/webhook-world.ts'

const { service, clock, deliveries, close } = await webhookWorld()
afterAll(close)

test('mail goes through the SMTP server, one for what came since the last; what the server refuses is sent again, and a line in a name makes no header', async () => {
  const mails: string[] = []
  let refusing = true
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    onData(stream, _, done) {
      let text = ''
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
      stream.on('end', () => {
        if (!refusing) mails.push(text.replaceAll(/=\r\n/g, ''))
        done(refusing ? new Error('the mailbox is full') : null)
      })
    },
  })
  await new Promise<void>((done) => smtp.listen(0, '127.0.0.1', done))
  const url = `smtp://127.0.0.1:${(smtp.server.address() as { port: number }).port}`
  const tenant = await service.tenant('mailed')
  const add = (): Promise<{ status: number; body: { code?: string } }> =>
    service.call('POST', `/tenants/${tenant.id}/webhooks`, {
      token: tenant.owner,
      body: { url: 'mailto:ops@example.com', events: ['slow.event'] },
    })
  expect((await add()).body.code).toBe('setting_missing')
  service.context.mail = mailerOf({ smtp_url: url, mail_from: 'headrace@example.com' })
  expect((await add()).status).toBe(201)
  await service.context.gate.transact((tx) =>
    record(
      tx,
      ...[1, 2].map((n) => ({
        tenantId: tenant.id,
        actor: 'test',
        event: 'slow.event',
        data: { n, text: 'a\r\nBcc: everybody@example.com' },
      })),
    ),
  )
  await deliveries.round()
  expect(
    (
      await service.call<{ items: { last_error: string }[] }>('GET', `/tenants/${tenant.id}/webhooks`, {
        token: tenant.viewer,
      })
    ).body.items[0].last_error,
  ).toContain('mailbox is full')
  refusing = false
  clock.ms += 10_000
  await deliveries.round()
  await deliveries.round()
  expect(mails).toHaveLength(1)
  const [head, text] = mails[0].split('\r\n\r\n')
  expect(head).toMatch(/^To: ops@example.com$/m)
  expect(head).toMatch(/^Subject: \[headrace\] 2 events: slow.event$/m)
  expect(head).not.toMatch(/^Bcc/m)
  expect(text).toContain(`slow.event of tenant ${tenant.id}`)
  await new Promise<void>((done) => smtp.close(() => done()))
})

test.each([
  ['ftp://x', undefined],
  ['smtp://host', undefined],
])('%s without a sender is refused at the start', (url, from) => {
  expect(() => mailerOf(settingsFrom({ HEADRACE_SMTP_URL: url, HEADRACE_MAIL_FROM: from }))).toThrow(
    /HEADRACE_SMTP_URL/,
  )
})
