/** What a tenant buys and has used, the ledger behind it, and prices. */
import { Type, type Static } from 'typebox'
import { Price, ResourceType } from '../../scheduling/terms.ts'
import { Count, PageQuery, Time, TimeText, Id, nullable } from './fields.ts'

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
    valid_from: TimeText('Start (inclusive).'),
    valid_until: TimeText('End (exclusive), a whole number of periods after the start.'),
  },
  { additionalProperties: false },
)
export type PurchaseRequest = Static<typeof PurchaseRequest>

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
  price: Price,
})
export type Purchase = Static<typeof Purchase>

export const Usage = Type.Object({
  tenant_id: Id('ID of the tenant.'),
  current_period: Type.Object({
    dedicated_units: Type.Object({
      purchased: Type.Number(),
      allocated: Type.Number(),
      available: Type.Number(),
    }),
    vcpu_hours: Type.Object({
      purchased: Type.Number({ description: 'Bought: consumed + held + remaining + expired.' }),
      consumed: Type.Number({ description: 'Charged to executions that ended, and to slots of streams.' }),
      held: Type.Number({ description: 'Set aside for executions that are booked or run.' }),
      remaining: Type.Number({ description: 'What you can still book.' }),
      expired: Type.Number({ description: 'Not used before its period or its purchase ended.' }),
      debt: Type.Number({ description: 'Used beyond what was bought. The next purchase pays it.' }),
    }),
  }),
})
export type Usage = Static<typeof Usage>

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
export type LedgerEntry = Static<typeof LedgerEntry>

export { PriceList as Prices } from '../../scheduling/terms.ts'

export const LedgerQuery = Type.Object({
  ...PageQuery,
  after: Type.Optional(Type.String({ pattern: '^[0-9]{1,18}$' })),
  execution_id: Type.Optional(Id('Only entries of this execution.')),
})
export type LedgerQuery = Static<typeof LedgerQuery>
