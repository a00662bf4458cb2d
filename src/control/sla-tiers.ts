/**
 * Tiers of service: named promises of the operator, so that a job can name `"tier": "gold"` instead of its
 * numbers.
 */
import type { Service } from './service.ts'
import { failure } from '../core/errors.ts'
import type { SlaRequirements } from '../scheduling/terms.ts'
import type { Db } from '../state/database.ts'
import { record } from '../state/events.ts'
import { readSlaTiers, writeSlaTiers } from '../state/installation.ts'
import type { Context } from './context.ts'

export function tierCases({ gate }: Context): Pick<Service, 'slaTiers' | 'setSlaTiers'> {
  return {
    slaTiers: async () => ({ tiers: await readSlaTiers(gate.service) }),
    setSlaTiers: (by, body) =>
      gate.transact(async (tx) => {
        await writeSlaTiers(tx, body.tiers)
        await record(tx, { tenantId: null, actor: by.name, event: 'sla_tiers.changed', data: { ...body } })
        return { tiers: await readSlaTiers(tx) }
      }),
  }
}

/**
 * The SLA of a job, completed by the promises of its tier. The job takes them over when it is created or
 * changed: a later change of the tier changes no existing job. Throws `tier_unknown`.
 */
export async function withTier(db: Db, sla: SlaRequirements): Promise<SlaRequirements> {
  if (sla.tier === undefined) return sla
  const tiers = await readSlaTiers(db)
  if (!Object.hasOwn(tiers, sla.tier))
    throw failure('tier_unknown', { tier: sla.tier, known: Object.keys(tiers).join(', ') || 'none' })
  return { ...tiers[sla.tier], ...sla }
}
