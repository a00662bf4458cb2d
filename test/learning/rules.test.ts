import { expect, test } from 'vitest'
import { SOURCE_TYPES } from '../../src/core/service/source-types.ts'
import { estimateByRule, recommendUnits, sourceType } from '../../src/learning/rules.ts'

test("the sources' example: 100 GB of PostgreSQL, medium", () => {
  expect(estimateByRule('postgres', 100, 'medium')).toEqual({
    cpu_cores: 12,
    memory_gb: 24,
    runtime_minutes: 210,
  })
  expect(estimateByRule('mysql', 100, 'medium')).toEqual({
    cpu_cores: 12,
    memory_gb: 24,
    runtime_minutes: 210,
  })
})

test('4 cores, 8 GB and 25 minutes are 2 units and 2 vCPU-hours', () => {
  expect(recommendUnits({ cpu_cores: 4, memory_gb: 8, runtime_minutes: 25 })).toEqual({
    dedicated_units: 2,
    vcpu_hours: 2,
    bare_units: 1,
  })
})

test('complexity scales the run time only; floors hold', () => {
  expect(estimateByRule('postgres', 100, 'high').runtime_minutes).toBe(315)
  expect(estimateByRule('postgres', 100, 'low').runtime_minutes).toBe(168)
  expect(estimateByRule('s3', 0.001, 'low')).toEqual({ cpu_cores: 2, memory_gb: 3, runtime_minutes: 5 })
  for (const type of SOURCE_TYPES) {
    const { cpu_cores, memory_gb, runtime_minutes } = estimateByRule(type, 0.001, 'low', 100)
    expect(cpu_cores >= 1 && memory_gb >= 2 && runtime_minutes >= 5, type).toBe(true)
  }
})

test('a quicker machine changes measured rows only', () => {
  expect(estimateByRule('postgres', 100, 'medium', 2)).toEqual(estimateByRule('postgres', 100, 'medium'))
  expect(estimateByRule('files', 1_000, 'medium', 2).runtime_minutes).toBeLessThan(
    estimateByRule('files', 1_000, 'medium').runtime_minutes,
  )
})

test('an unknown source type lists the known ones', () => {
  expect(() => sourceType('oracle')).toThrow('There is no source type oracle.')
})
