/** The service itself: whether it runs, whether it is ready, and who is asking. */
import { Type, type Static } from 'typebox'
import { Free } from './fields.ts'

export const Health = Type.Object({ status: Type.String(), version: Type.String() })

export const Readiness = Type.Object({ ready: Type.Boolean(), checks: Free })
export type Readiness = Static<typeof Readiness>

export const TokenHolder = Type.Object({
  name: Type.String(),
  role: Type.String(),
  tenant_id: Type.Union([Type.String(), Type.Null()]),
})
