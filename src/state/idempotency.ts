/**
 * A request that is sent again is the same request: its answer is kept under the client's key in the transaction that did the work.
 * Of many at once one inserts the key; the others wait for its transaction and read the answer.
 */
import { createHash } from 'node:crypto'
import { failure } from '../core/errors.ts'
import type { Tx } from './database.ts'

export interface Answer {
  status: number
  body: unknown
}

/** Runs `work` once per key and tenant. Throws `idempotency_conflict` when the key came with another request before. */
export async function once(tx: Tx, { tenantId, key, request }: { tenantId: string; key: string | undefined; request: unknown }, work: () => Promise<Answer>): Promise<Answer> {
  if (key === undefined) return work()
  const hash = createHash('sha256').update(JSON.stringify(request)).digest()
  const inserted = await tx.insertInto('idempotency_keys').values({ tenant_id: tenantId, idempotency_key: key, request_hash: hash, status: 0, body: '{}' }).onConflict((on) => on.doNothing()).executeTakeFirst()
  if (Number(inserted.numInsertedOrUpdatedRows ?? 0) === 0) {
    const known = await tx.selectFrom('idempotency_keys').select(['request_hash', 'status', 'body']).where('tenant_id', '=', tenantId).where('idempotency_key', '=', key).executeTakeFirstOrThrow()
    if (!known.request_hash.equals(hash)) throw failure('idempotency_conflict', { key })
    return { status: known.status, body: known.body }
  }
  const answer = await work()
  await tx.updateTable('idempotency_keys').set({ status: answer.status, body: JSON.stringify(answer.body) }).where('tenant_id', '=', tenantId).where('idempotency_key', '=', key).execute()
  return answer
}
