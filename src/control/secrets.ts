/** Use cases of secrets: Headrace shows names, never values. */
import type { Service } from './service.ts'
import { failure } from '../core/errors.ts'
import { record } from '../state/events.ts'
import type { SealedSecrets } from '../secrets/sealed-file.ts'
import type { Context } from './context.ts'
import { keepSecrets } from './tenant-quota.ts'

/** For a dry run: nothing is stored or removed. */
export function rehearsingSecrets(secrets: SealedSecrets): SealedSecrets {
  return {
    ...secrets,
    set: async () => undefined,
    remove: async (tenantId, name) => (await secrets.names(tenantId)).includes(name),
  }
}

export function secretCases(context: Context): Pick<Service, 'setSecret' | 'listSecrets' | 'deleteSecret'> {
  const { gate, secrets } = context
  return {
    async setSecret(by, tenantId, name, value) {
      await keepSecrets(context, tenantId, name, value)
      await secrets.set(tenantId, name, value)
      await gate.writeAs(tenantId, (tx) =>
        record(tx, { tenantId, actor: by.name, event: 'secret.stored', data: { name } }),
      )
    },
    listSecrets: async (tenantId) => ({
      items: (await secrets.names(tenantId)).map((name) => ({ name })),
      next: undefined,
    }),
    async deleteSecret(by, tenantId, name) {
      if (!(await secrets.remove(tenantId, name)))
        throw failure('not_found', {
          what: 'secret',
          id: name,
          list: `GET /api/v1/tenants/${tenantId}/secrets`,
        })
      await gate.writeAs(tenantId, (tx) =>
        record(tx, { tenantId, actor: by.name, event: 'secret.deleted', data: { name } }),
      )
    },
  }
}
