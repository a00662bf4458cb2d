/** The three namespaces, and the capacity that an installation offers in each. */
export const NAMESPACES = ['dedicated-cpu-ns', 'vcpu-hours-ns', 'draft-ingestion-ns'] as const
export type Namespace = (typeof NAMESPACES)[number]

export const DEDICATED = 'dedicated-cpu-ns' satisfies Namespace
export const SHARED = 'vcpu-hours-ns' satisfies Namespace
export const DRAFT = 'draft-ingestion-ns' satisfies Namespace

export interface Capacity {
  cpuCores: number
  memoryGb: number
}

export type OfferedCapacity = Record<Namespace, Capacity>

/** One value for each namespace. */
export function forNamespaces<T>(of: (namespace: Namespace) => T): Record<Namespace, T> {
  return { [DEDICATED]: of(DEDICATED), [SHARED]: of(SHARED), [DRAFT]: of(DRAFT) }
}

/**
 * The default capacity of one machine: per namespace twice its cores (at least four) and half its memory.
 * Jobs wait for input most of the time, so three times twice the cores is an overcommit that is stated, not
 * hidden.
 */
export function machineCapacity(cores: number, memoryBytes: number): OfferedCapacity {
  return forNamespaces(() => ({
    cpuCores: Math.max(4, 2 * cores),
    memoryGb: Math.max(8, Math.floor(memoryBytes / 2 / 1024 ** 3)),
  }))
}
