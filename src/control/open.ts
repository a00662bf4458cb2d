/** Opens the service over a database: all use cases, wired. */
import { cpus, totalmem } from 'node:os'
import type { Service } from './service.ts'
import { NAMESPACES, machineCapacity, type OfferedCapacity } from '../core/service/namespaces.ts'
import { tenantLimits } from '../core/service/tenant-limits.ts'
import { foreignVariable, settings } from '../host/settings.ts'
import { openSealedSecrets, sealedFileOf } from '../secrets/sealed-file.ts'
import { SLOTS, countSlotsAhead, ensureSlots, gridAt, type SlotSettings } from '../state/capacity.ts'
import { openGate, rehearsing, type Gate } from '../state/database.ts'
import { createEventHorizon } from '../state/events.ts'
import { migrate } from '../state/migrate.ts'
import { capacityCases, refreshCapacity } from './capacity.ts'
import { planCases } from './capacity-plan.ts'
import { createChecker, type CheckLimits } from './checker.ts'
import type { Context } from './context.ts'
import { estimationCases } from './estimation.ts'
import { executionCases } from './executions.ts'
import { jobCases } from './jobs.ts'
import { createLearner } from './loops/learner.ts'
import { mailerOf } from '../net/mail.ts'
import { createServiceMetrics } from './metrics.ts'
import { createJwtVerifier, oidcSettings } from '../net/oidc.ts'
import { purchaseCases } from './purchases.ts'
import { rehearsingSecrets, secretCases } from './secrets.ts'
import { createStorageMeter } from './tenant-storage.ts'
import { tierCases } from './sla-tiers.ts'
import { tenantCases } from './tenants.ts'
import { webhookCases } from './webhooks.ts'
import { retentionOf } from './retention.ts'

export interface OpenOptions {
  databaseUrl: string
  home: string
  version: string
  capacity?: Partial<OfferedCapacity>
  spillover?: boolean
  slots?: SlotSettings
  now?: () => Date
  checks?: CheckLimits
}

export interface OpenService {
  service: Service
  /** The same use cases for dry runs: they check everything and give the same answers, but change nothing. */
  rehearsal: Service
  context: Context
  close(): Promise<void>
}

/** Migrates the database to this version, creates the first slots and returns the use cases. */
export async function openService(options: OpenOptions): Promise<OpenService> {
  const given = settings()
  const secrets = openSealedSecrets(
    sealedFileOf(options.home, {
      keyFile: given.secrets_key_file,
      credentialsFolder: foreignVariable('CREDENTIALS_DIRECTORY'),
    }),
  )
  // Report a missing or wrong key at the start, not when the first job needs a login.
  await secrets.names('')
  await migrate(options.databaseUrl)
  const gate = await openGate(options.databaseUrl)
  const oidc = oidcSettings(given)
  const now = options.now ?? ((): Date => new Date())
  const context: Context = {
    gate,
    version: options.version,
    home: options.home,
    capacity: { ...machineCapacity(cpus().length, totalmem()), ...options.capacity },
    slots: options.slots ?? SLOTS,
    spillover: options.spillover ?? true,
    now,
    settledEvents: createEventHorizon(gate.service),
    retention: retentionOf(given),
    limits: tenantLimits(given),
    storage: createStorageMeter(options.home),
    learner: createLearner(gate.service),
    checker: createChecker(options.checks),
    metrics: createServiceMetrics(gate.service, now),
    mail: mailerOf(given),
    oidc: oidc === undefined ? undefined : createJwtVerifier(oidc),
    secrets,
  }
  await refreshCapacity(context)
  await gate.transact((tx) => ensureSlots(tx, context.capacity, gridAt(now().getTime(), context.slots)))
  const rehearsal = {
    ...context,
    gate: rehearsing(gate),
    capacity: { ...context.capacity },
    secrets: rehearsingSecrets(context.secrets),
  }
  return {
    service: casesOf(context),
    rehearsal: casesOf(rehearsal),
    context,
    close: async () => {
      await context.learner.close()
      await context.checker.close()
      await gate.close()
    },
  }
}

function casesOf(context: Context): Service {
  return {
    version: context.version,
    ready: () => readiness(context.gate),
    serviceMetrics: context.metrics.text,
    answered: context.metrics.answered,
    ...tenantCases(context),
    ...purchaseCases(context),
    ...jobCases(context),
    ...executionCases(context),
    ...estimationCases(context),
    ...secretCases(context),
    ...webhookCases(context),
    ...tierCases(context),
    ...planCases(context),
    ...capacityCases(context),
  }
}

/** Ready: the database answers and the slots reach far enough ahead. */
async function readiness(gate: Gate): Promise<{ ready: boolean; checks: Record<string, string> }> {
  try {
    const slots = (await countSlotsAhead(gate.service)) >= NAMESPACES.length
    return { ready: slots, checks: { database: 'ok', slots: slots ? 'ok' : 'none ahead: no scheduler runs' } }
  } catch (error) {
    return { ready: false, checks: { database: (error as Error).message.split('\n')[0] } }
  }
}
