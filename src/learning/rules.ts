/**
 * What a job needs, by rule: before there is a history of runs to learn from. Rows of postgres, mysql and s3
 * are those of the sources; the others were measured on two cores with `headrace bench` (docs/development.md
 * says how) and are scaled by the machine's self-benchmark.
 */
import { failure } from '../core/errors.ts'
import { UNIT } from '../core/service/amounts.ts'
import { SOURCE_TYPES, type SourceType } from '../core/service/source-types.ts'

export interface Rule {
  baseCpu: number
  cpuPerGb: number
  baseMemoryGb: number
  memoryPerGb: number
  baseMinutes: number
  minutesPerGb: number
  /** Measured here, and so scaled by how quick this machine is. */
  measured: boolean
}

export const RULES = {
  postgres: {
    baseCpu: 2,
    cpuPerGb: 0.1,
    baseMemoryGb: 4,
    memoryPerGb: 0.2,
    baseMinutes: 10,
    minutesPerGb: 2,
    measured: false,
  },
  mysql: {
    baseCpu: 2,
    cpuPerGb: 0.1,
    baseMemoryGb: 4,
    memoryPerGb: 0.2,
    baseMinutes: 10,
    minutesPerGb: 2,
    measured: false,
  },
  s3: {
    baseCpu: 1,
    cpuPerGb: 0.05,
    baseMemoryGb: 2,
    memoryPerGb: 0.1,
    baseMinutes: 5,
    minutesPerGb: 2,
    measured: false,
  },
  files: {
    baseCpu: 1,
    cpuPerGb: 0.05,
    baseMemoryGb: 2,
    memoryPerGb: 0.05,
    baseMinutes: 1,
    minutesPerGb: 0.4,
    measured: true,
  },
  sftp: {
    baseCpu: 1,
    cpuPerGb: 0.05,
    baseMemoryGb: 2,
    memoryPerGb: 0.05,
    baseMinutes: 2,
    minutesPerGb: 0.6,
    measured: true,
  },
  kafka: {
    baseCpu: 2,
    cpuPerGb: 0.05,
    baseMemoryGb: 2,
    memoryPerGb: 0.02,
    baseMinutes: 1,
    minutesPerGb: 0.3,
    measured: true,
  },
} as const satisfies Record<SourceType, Rule>

export const COMPLEXITY = { low: 0.8, medium: 1, high: 1.5 } as const
export type Complexity = keyof typeof COMPLEXITY

export const DEFAULT_VOLUME_GB = 10
/** The least that is booked, whoever says how much: the model, the rule, or both. */
export const FLOORS = { cpuCores: 1, memoryGb: 2, minutes: 5 }
/** How far an answer by rule is trusted (the sources' figure). */
export const RULE_CONFIDENCE = 0.6

export interface Resources {
  cpu_cores: number
  memory_gb: number
  runtime_minutes: number
}

/** Sources name more types than an estimate knows; an unknown one is an error that lists these. */
export function sourceType(text: string): SourceType {
  if (!(SOURCE_TYPES as readonly string[]).includes(text))
    throw failure('source_type_unknown', { type: text, known: SOURCE_TYPES.join(', ') })
  return text as SourceType
}

/** What a job needs, before it is rounded up to what can be booked. */
export interface Need {
  cores: number
  memoryGb: number
  minutes: number
}

/** `speed`: of this machine against the one that the measured rows come from; 2 is twice as quick. */
export function needByRule(type: SourceType, volumeGb: number, complexity: Complexity, speed = 1): Need {
  const rule = RULES[type]
  const factor = COMPLEXITY[complexity] / (rule.measured ? speed : 1)
  return {
    cores: rule.baseCpu + rule.cpuPerGb * volumeGb,
    memoryGb: rule.baseMemoryGb + rule.memoryPerGb * volumeGb,
    minutes: (rule.baseMinutes + rule.minutesPerGb * volumeGb) * factor,
  }
}

/** What is booked for a need: whole numbers, rounded up, and never below the floors. */
export function booked({ cores, memoryGb, minutes }: Need): Resources {
  return {
    cpu_cores: Math.max(FLOORS.cpuCores, ceil(cores)),
    memory_gb: Math.max(FLOORS.memoryGb, ceil(memoryGb)),
    runtime_minutes: Math.max(FLOORS.minutes, ceil(minutes)),
  }
}

export function estimateByRule(
  type: SourceType,
  volumeGb: number,
  complexity: Complexity,
  speed = 1,
): Resources {
  return booked(needByRule(type, volumeGb, complexity, speed))
}

/** Rounded up, but not for what floating point adds: 2 + 0.1 * 100 is 12, not 12.000000000000002. */
const ceil = (value: number): number => Math.ceil(Math.round(value * 1e9) / 1e9)

/** What to buy for it: a fifth more than the bare need in units, the exact use rounded up in vCPU-hours. */
export function recommendUnits({ cpu_cores, memory_gb, runtime_minutes }: Resources): {
  dedicated_units: number
  vcpu_hours: number
  bare_units: number
} {
  const bare = Math.max(cpu_cores / UNIT.cpuCores, memory_gb / UNIT.memoryGb)
  return {
    dedicated_units: ceil(1.2 * bare),
    vcpu_hours: ceil((cpu_cores * runtime_minutes) / 60),
    bare_units: Math.ceil(bare),
  }
}
