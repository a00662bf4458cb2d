/** Events, and their receivers. */
import { Type, type Static } from 'typebox'
import { Free, Name, Time, Id, nullable, withDefault } from './fields.ts'

export const Event = Type.Object({
  event_id: Type.String(),
  tenant_id: nullable(Type.String()),
  at: Time('When the event happened.'),
  actor: Type.String(),
  event: Type.String(),
  subject: nullable(Type.String()),
  data: Free,
})
export type Event = Static<typeof Event>

export const EventQuery = Type.Object({
  after: withDefault(Type.String({ pattern: '^[0-9]{1,18}$', default: '0' })),
  limit: withDefault(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
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
export type WebhookRequest = Static<typeof WebhookRequest>

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
export type Webhook = Static<typeof Webhook>
