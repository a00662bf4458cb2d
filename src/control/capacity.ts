/** Use cases of capacity: what the installation offers in each namespace, compared with its machine. */
import { availableParallelism, totalmem } from 'node:os'
import type { CapacityOffer } from './schemas/capacity.ts'
import type { Service } from './service.ts'
import { UNIT } from '../core/service/amounts.ts'
import { failure } from '../core/errors.ts'
import { DEDICATED, NAMESPACES, forNamespaces, type OfferedCapacity } from '../core/service/namespaces.ts'
import { ensureSlots, gridAt, readCapacity, writeCapacity } from '../state/capacity.ts'
import { soldUnits } from '../state/units-sold.ts'
import type { Context } from './context.ts'

/** Loads what an operator set, here or through another process. */
export async function refreshCapacity({ gate, capacity }: Pick<Context, 'gate' | 'capacity'>): Promise<void> {
  Object.assign(capacity, await readCapacity(gate.service))
}

export function capacityCases(context: Context): Pick<Service, 'capacity' | 'setCapacity'> {
  const { gate, now, slots } = context
  return {
    async capacity() {
      await refreshCapacity(context)
      return offerOf(context.capacity)
    },
    async setCapacity(by, body) {
      await refreshCapacity(context)
      const next = forNamespaces((namespace) => {
        const asked = body[namespace]
        return asked === undefined
          ? context.capacity[namespace]
          : { cpuCores: asked.cpu_cores, memoryGb: asked.memory_gb }
      })
      const at = now()
      await gate.transact(async (tx) => {
        // Units are sold for months ahead, so the offer cannot drop below them.
        const sold = await soldUnits(tx, at, new Date(at.getTime() + 10 * 365 * 86_400_000))
        const { cpuCores, memoryGb } = next[DEDICATED]
        if (sold * UNIT.cpuCores > cpuCores || sold * UNIT.memoryGb > memoryGb)
          throw failure('request_invalid', {
            reason: `${sold} dedicated units are sold (${sold * UNIT.cpuCores} cores, ${sold * UNIT.memoryGb} GB); ${DEDICATED} cannot be smaller than that.`,
          })
        await writeCapacity(tx, next, by.name)
      })
      Object.assign(context.capacity, next)
      await gate.transact((tx) => ensureSlots(tx, next, gridAt(at.getTime(), slots)))
      return offerOf(next)
    },
  }
}

/** The offer with its overcommit: the sum of all namespaces, in multiples of the machine that answers. */
function offerOf(capacity: OfferedCapacity): CapacityOffer {
  const machine = { cpu_cores: availableParallelism(), memory_gb: Math.floor(totalmem() / 1024 ** 3) }
  const sum = (of: (offer: OfferedCapacity[keyof OfferedCapacity]) => number): number =>
    NAMESPACES.reduce((total, namespace) => total + of(capacity[namespace]), 0)
  return {
    namespaces: forNamespaces((namespace) => ({
      cpu_cores: capacity[namespace].cpuCores,
      memory_gb: capacity[namespace].memoryGb,
    })),
    machine,
    overcommit: {
      cpu: Math.round((sum((offer) => offer.cpuCores) / machine.cpu_cores) * 100) / 100,
      memory: Math.round((sum((offer) => offer.memoryGb) / Math.max(1, machine.memory_gb)) * 100) / 100,
    },
  }
}
