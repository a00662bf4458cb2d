/**
 * Expressions of template languages in every text that a tenant may write: none of them is ever evaluated.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { runWork } from '../support/transfers.ts'
import { hostileWorld } from '../support/hostile-world.ts'

const { home, service, tenant, hostileWork, close } = await hostileWorld()
afterAll(close)

const EXPRESSIONS = [
  '${7*7}',
  '{{7*7}}',
  '<%= 7*7 %>',
  '#{7*7}',
  '{{ "".constructor.constructor("return process")().env }}',
  '${process.env.HOME}',
  '$(id)',
  '`id`',
  "{{ config.__class__.__init__.__globals__['os'].popen('id').read() }}",
  '%{7*7}',
  '{% debug %}',
  "${T(java.lang.Runtime).getRuntime().exec('id')}",
  '={{ $env.PATH }}',
  '__proto__',
  'constructor',
]

test.each(EXPRESSIONS)('%s stays what it is, in every text that a tenant may write', async (text) => {
  const made = await service.call<{ job_name: string; source_config: { note: string } }>(
    'POST',
    `/tenants/${tenant.id}/jobs`,
    {
      token: tenant.editor,
      body: {
        job_name: text,
        source_type: 'files',
        source_config: { path: text, format: 'csv', note: text },
        destination_config: { type: 'local', path: text },
        resource_requirements: { cpu_cores: 1, memory_gb: 1, estimated_runtime_minutes: 1 },
      },
    },
  )
  expect(made.body).toMatchObject({ job_name: text, source_config: { path: text, note: text } })
  const file = `in/${text.replaceAll('/', '_')}.csv`
  writeFileSync(join(home, file), `"${text.replaceAll('"', '""')}",n\nx,1\n`)
  const { receipt } = await runWork(
    hostileWork({
      source: {
        path: file.replace(/([*?[\]{}()!])/g, '[$1]').replace(/^.*$/, 'in/*.csv'),
        format: 'csv',
        columns: [{ name: text, type: 'VARCHAR' }],
        mode: 'full',
      },
    }),
  ).catch((error: Error) => ({ receipt: { output: [] as string[], said: error.message } }))
  expect(JSON.stringify(receipt)).not.toMatch(/\b49\b|uid=|\/root|node_modules/)
})
