/** Transfers of a tenant's files, in folders of their own: a file is laid down, and read into Parquet. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome, Work } from '../../src/executions/work.ts'
import { openFolder } from './service.ts'
import { runWork, workOf } from './transfers.ts'

/** What a source's columns are unless a test says otherwise. */
const COLUMNS = [
  { name: 'id', type: 'BIGINT' },
  { name: 'name', type: 'VARCHAR' },
  { name: 'amount', type: 'DECIMAL(10, 2)' },
]

export interface FileTransfers {
  home: string
  /** The tenant's folder, below `home`. */
  tenant: string
  /** Writes a file into the tenant's folder `in`; returns its path as a source names it. */
  file(name: string, content: string | Buffer): string
  transferOf(source: Record<string, unknown>, more?: Partial<Work>): Promise<Outcome>
}

export function fileTransfers(): FileTransfers {
  const home = openFolder('headrace-files-')
  const tenant = join(home, 'tenant')
  mkdirSync(join(tenant, 'in'), { recursive: true })
  return {
    home,
    tenant,
    file(name, content) {
      writeFileSync(join(tenant, 'in', name), content)
      return `in/${name}`
    },
    transferOf: (source, more = {}) =>
      runWork(
        workOf(home, {
          source: { format: 'csv', columns: COLUMNS, ...source },
          tenantFolder: tenant,
          ...more,
        }),
      ),
  }
}
