/** Opens the engine of a dataset's job: DuckDB in this process, or a session on Spark. */
import { randomUUID } from 'node:crypto'
import type { BatchEngine } from '../core/batch-engine.ts'
import { privateFolder } from '../core/data-path.ts'
import { failure } from '../core/errors.ts'
import type { ObjectStore } from '../core/object-store.ts'
import type { RewriteEngine } from '../core/rewrite-engine.ts'
import type { TableColumn } from '../core/table-schema.ts'
import type { Dataset } from '../dataset/declaration.ts'
import { openBatchEngine } from '../engines/duckdb/batch.ts'
import { openRewriteEngine } from '../engines/duckdb/rewrite.ts'
import type { SessionOptions } from '../engines/duckdb/session.ts'
import type { StoreByAddress } from '../engines/spark/publish.ts'

export interface EngineRequest {
  dataset: Dataset
  /** Limits of the embedded engine. */
  embedded: SessionOptions
  say(text: string): void
}

export async function openBatchEngineFor(
  request: EngineRequest,
  tables: { rawColumns: TableColumn[]; columns: TableColumn[]; processed: ObjectStore },
): Promise<BatchEngine> {
  const { dataset, embedded } = request
  const partitionColumns = dataset.processed.partitionBy.map((field) => field.name)
  const { columns, rawColumns, processed } = tables
  if (dataset.engine === 'duckdb') return openBatchEngine({ ...embedded, columns, partitionColumns })
  const { openSparkBatchEngine } = await import('../engines/spark/batch.ts')
  return onSpark(request, (session) =>
    openSparkBatchEngine({
      session,
      store: byAddress([processed]),
      rawColumns,
      columns,
      partitionColumns,
      workFolder: processed.address(privateFolder(randomUUID())),
    }),
  )
}

/** `stores`: of all tables that are rewritten. */
export async function openRewriteEngineFor(
  request: EngineRequest,
  stores: ObjectStore[],
): Promise<RewriteEngine> {
  if (request.dataset.engine === 'duckdb') return openRewriteEngine(request.embedded)
  const { openSparkRewriteEngine } = await import('../engines/spark/rewrite.ts')
  return onSpark(request, (session) => openSparkRewriteEngine({ session, store: byAddress(stores) }))
}

/** Opens an engine on Spark. Closing it also ends a server that was started for it. */
async function onSpark<Engine extends { close(): Promise<void> }>(
  { dataset, say }: EngineRequest,
  open: (session: Awaited<ReturnType<typeof import('./spark-engine.ts').openSession>>) => Engine,
): Promise<Engine> {
  const { findSpark, openSession } = await import('./spark-engine.ts')
  const place = await findSpark(dataset.spark, say)
  try {
    const engine = open(await openSession(place))
    const close = engine.close.bind(engine)
    return Object.assign(engine, {
      async close() {
        await close().finally(() => place.leave())
      },
    })
  } catch (error) {
    await place.leave()
    throw error
  }
}

function byAddress(stores: ObjectStore[]): StoreByAddress {
  const find = (address: string): { store: ObjectStore; name: string } => {
    for (const store of stores) {
      const root = store.address('').replace(/\/+$/, '')
      if (address.startsWith(`${root}/`)) return { store, name: address.slice(root.length + 1) }
    }
    throw failure('internal', { reason: `${address} is in none of the tables at hand` })
  }
  return {
    read: (address) => {
      const { store, name } = find(address)
      return store.read(name)
    },
    write: (address, bytes) => {
      const { store, name } = find(address)
      return store.write(name, bytes)
    },
    async clear(address) {
      const { store, name } = find(address)
      for (const object of await store.list(name)) await store.delete(object.name)
    },
  }
}
