/**
 * What a tenant writes is checked where nothing waits for it: named when it is too much, and others are
 * answered meanwhile.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HeadraceError } from '../../src/core/errors.ts'
import { createChecker, type Checker } from '../../src/control/checker.ts'
import type { JobFields } from '../../src/state/jobs.ts'
import { aliasBomb } from '../support/alias-bomb.ts'
import { openFolder, testService, type TestService } from '../support/service.ts'

let service: TestService
let evil: Awaited<ReturnType<TestService['tenant']>>

beforeAll(async () => {
  service = await testService({ home: openFolder('headrace-checks-') })
  evil = await service.tenant('evil')
})

afterAll(() => service.close())

const REQUIREMENTS = { cpu_cores: 1, memory_gb: 2, estimated_runtime_minutes: 5 }
const zones = (declaration: unknown): Record<string, unknown> => ({
  job_name: 'a',
  source_type: 'files',
  source_config: { declaration },
  destination_config: { type: 'zones' },
  resource_requirements: REQUIREMENTS,
})
const post = (body: unknown): Promise<{ status: number; body: { code: string; detail: string } }> =>
  service.call('POST', `/tenants/${evil.id}/jobs`, { token: evil.editor, body })
const keys = (count: number): string => Array.from({ length: count }, (_, i) => `key${i}: 1`).join('\n')

test.each([
  ['thousands of unknown fields', zones(keys(4_000)), 422, 'dataset_invalid'],
  ['an alias bomb', zones(aliasBomb(6)), 422, 'dataset_invalid'],
  ['a declaration that is too large', zones(keys(45_000)), 413, 'declaration_too_large'],
  [
    'settings that are too large',
    { ...zones(''), source_config: { path: 'x', format: 'csv', note: 'x'.repeat(700_000) } },
    413,
    'declaration_too_large',
  ],
  [
    'lists in each other',
    { ...zones(''), source_config: JSON.parse('['.repeat(60) + ']'.repeat(60)) as unknown },
    400,
    'request_invalid',
  ],
  [
    'a destination type that objects have',
    {
      ...zones(''),
      source_config: { path: 'x', format: 'csv' },
      destination_config: { type: 'constructor', path: 'y' },
    },
    422,
    'setting_missing',
  ],
])('%s: by name, and in few words', async (_, body, status, code) => {
  const answer = await post(body)
  expect([answer.status, answer.body.code]).toEqual([status, code])
  expect(JSON.stringify(answer.body).length).toBeLessThan(70_000)
})

const fields = (declaration: string): JobFields => ({
  ...(zones(declaration) as never as JobFields),
  schedule_cron: null,
  sla_requirements: {},
})
const codeOf = (work: Promise<void>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof HeadraceError ? error.code : String(error)),
  )
const SLOW = fields(keys(30_000))
const QUICK = fields(
  'dataset: x\nsource: { files: { path: a } }\nrecord: { format: ndjson }\ncolumns: [{ name: a }]',
)

/** Each with limits that a machine under load keeps. */
async function withChecker(
  limits: Partial<Parameters<typeof createChecker>[0]>,
  work: (checker: Checker) => Promise<void>,
): Promise<void> {
  const checker = createChecker({ processes: 2, deadlineMs: 60_000, memoryMib: 256, waiting: 3, ...limits })
  try {
    await work(checker)
  } finally {
    await checker.close()
  }
}

test('a check that takes longer than it may is refused by name, and the next one is done', () =>
  withChecker({ deadlineMs: 1 }, async (checker) => {
    expect(await codeOf(checker.check('a', SLOW, new Date()))).toBe('check_too_long')
    expect(await codeOf(checker.check('b', SLOW, new Date()))).toBe('check_too_long')
  }))

test('a check that needs more memory than it may have ends its process alone', () =>
  withChecker({ memoryMib: 24 }, async (checker) => {
    expect(await codeOf(checker.check('a', SLOW, new Date()))).toBe('check_too_long')
    expect(await codeOf(checker.check('a', QUICK, new Date()))).toBe('done')
  }))

test('a tenant has one check at a time and few that wait; another tenant does not wait for them', () =>
  withChecker({}, async (checker) => {
    const ended: string[] = []
    const own = Array.from({ length: 6 }, () =>
      codeOf(checker.check('a', SLOW, new Date())).then((code) => (ended.push(`a ${code}`), code)),
    )
    const other = codeOf(checker.check('b', QUICK, new Date())).then((code) => void ended.push(`b ${code}`))
    await other
    expect(ended.filter((outcome) => outcome === 'a dataset_invalid').length).toBeLessThanOrEqual(2)
    const codes = await Promise.all(own)
    expect(codes).toEqual([
      'dataset_invalid',
      'dataset_invalid',
      'dataset_invalid',
      'dataset_invalid',
      'check_busy',
      'check_busy',
    ])
  }))

test('a number that JSON cannot hold is refused by name, and not stored as null', () =>
  withChecker({}, async (checker) => {
    const job = { ...QUICK, source_config: { ...QUICK.source_config, sample_rows: Number.POSITIVE_INFINITY } }
    expect(await codeOf(checker.check('a', job, new Date()))).toBe('request_invalid')
  }))
