/** What a tenant buys and has used, the ledger behind it, and prices. */
import { Type } from 'typebox'
import { Count, Time, Id, nullable } from './fields.ts'

const ResourceType = Type.Union([Type.Literal('dedicated_units'), Type.Literal('vcpu_hours')], {
  description: 'What is bought. A dedicated unit is 4 CPU cores and 8 GB.',
})

const Period = Type.Union([
  Type.Literal('hourly'),
  Type.Literal('daily'),
  Type.Literal('monthly'),
  Type.Literal('yearly'),
])

export const PurchaseRequest = Type.Object(
  {
    resource_type: ResourceType,
    quantity: Count('Units or vCPU-hours per period.', 10_000_000),
    time_period: Type.Optional(Period),
    valid_from: Time('Start (inclusive).'),
    valid_until: Time('End (exclusive), a whole number of periods after the start.'),
  },
  { additionalProperties: false },
)

export const Purchase = Type.Object({
  purchase_id: Id('ID of the purchase.'),
  tenant_id: Id('ID of the tenant.'),
  resource_type: Type.String(),
  quantity: Type.Integer(),
  time_period: Type.String(),
  valid_from: Time('Start (inclusive).'),
  valid_until: Time('End (exclusive).'),
  status: Type.String(),
  created_at: Time('When the purchase was made.'),
  price: Type.Object({
    currency: Type.String(),
    list_cents: Type.Number(),
    discount_percent: Type.Number(),
    total_cents: Type.Number(),
  }),
})

export const Usage = Type.Object({
  tenant_id: Id('ID of the tenant.'),
  current_period: Type.Object({
    dedicated_units: Type.Object({
      purchased: Type.Number(),
      allocated: Type.Number(),
      available: Type.Number(),
    }),
    vcpu_hours: Type.Object({ purchased: Type.Number(), consumed: Type.Number(), remaining: Type.Number() }),
  }),
})

export const LedgerEntry = Type.Object({
  entry_id: Type.String(),
  at: Time('When the entry was made.'),
  act: Type.String(),
  debit: Type.String(),
  credit: Type.String(),
  cpu_microseconds: Type.String({ description: 'Exact amount in microseconds of CPU time.' }),
  vcpu_hours: Type.Number(),
  execution_id: nullable(Id('Execution that the entry belongs to.')),
  purchase_id: nullable(Id('Purchase that the amount came from.')),
  valid_from: Time('Start of the period of the purchase.'),
  valid_until: Time('End of the period of the purchase.'),
})

const Cents = Type.Object(
  {
    hourly: Type.Integer({ minimum: 0 }),
    daily: Type.Integer({ minimum: 0 }),
    monthly: Type.Integer({ minimum: 0 }),
    yearly: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
)

const Percent = Type.Number({ minimum: 0, maximum: 100 })

export const Prices = Type.Object(
  {
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    dedicated_units: Cents,
    vcpu_hours: Cents,
    volume_discounts: Type.Array(
      Type.Object(
        { from_quantity: Count('Smallest quantity that gets the discount.'), percent: Percent },
        { additionalProperties: false },
      ),
      { maxItems: 50 },
    ),
    term_discounts: Type.Array(
      Type.Object(
        { from_periods: Count('Smallest number of periods that gets the discount.'), percent: Percent },
        { additionalProperties: false },
      ),
      { maxItems: 50 },
    ),
  },
  { additionalProperties: false },
)
