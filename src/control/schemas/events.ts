/** Events, and who is told of them. */
import { Type } from 'typebox'
import { Free, Name, Time, Id, nullable } from './fields.ts'

export const Event = Type.Object({
  event_id: Type.String(),
  tenant_id: nullable(Type.String()),
  at: Time('When the event happened.'),
  actor: Type.String(),
  event: Type.String(),
  subject: nullable(Type.String()),
  data: Free,
})

const WebhookFields = {
  url: Type.String({
    maxLength: 2_000,
    pattern: '^(https?://[^\\s]+|mailto:[^\\s@,;?&<>]+@[^\\s@,;?&<>]+)$',
    description: 'URL that accepts a POST, or mailto:ADDRESS.',
  }),
  events: Type.Array(Type.String({ maxLength: 60 }), {
    minItems: 1,
    maxItems: 50,
    description: 'Names of events to send, or * for all.',
  }),
}

export const WebhookRequest = Type.Object(
  { ...WebhookFields, secret_name: Type.Optional(Name('Secret whose field `key` signs each delivery.')) },
  { additionalProperties: false },
)

export const AlertRequest = Type.Object(WebhookFields, { additionalProperties: false })

export const Webhook = Type.Object({
  webhook_id: Id('ID of the webhook.'),
  url: Type.String(),
  events: Type.Array(Type.String()),
  secret_name: nullable(Type.String()),
  created_at: Time('When the webhook was created.'),
  failures: Type.Optional(Type.Integer()),
  last_error: Type.Optional(nullable(Type.String())),
})
