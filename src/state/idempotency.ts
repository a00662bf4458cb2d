/**
 * Repeated requests: the answer is stored under the client's key, in the transaction that did the work. Of
 * several concurrent ones, one inserts the key; the others wait for its transaction and read the answer.
 */
import { createHash } from 'node:crypto'
import { failure } from '../core/errors.ts'
import type { Db, Tx } from './database.ts'

/** The answer to a request that may be repeated, with its status. */
export interface Answer<Body> {
  status: number
  body: Body
}

export interface Repeatable {
  tenantId: string
  key: string | undefined
  request: unknown
}

const hashOf = (request: unknown): Buffer => createHash('sha256').update(JSON.stringify(request)).digest()

/**
 * The earlier answer to a request, if there is one. Call it before checks of things that may have changed
 * since: a repetition is not checked again. Throws `idempotency_conflict` if the key came with another
 * request.
 */
export async function answered<Body>(
  db: Db,
  { tenantId, key, request }: Repeatable,
): Promise<Answer<Body> | undefined> {
  if (key === undefined) return undefined
  const known = await db
    .selectFrom('idempotency_keys')
    .select(['request_hash', 'status', 'body'])
    .where('tenant_id', '=', tenantId)
    .where('idempotency_key', '=', key)
    .executeTakeFirst()
  if (known !== undefined && !known.request_hash.equals(hashOf(request)))
    throw failure('idempotency_conflict', { key })
  // The same request gets the same answer.
  return known && { status: known.status, body: known.body as Body }
}

/**
 * Runs `work` once per key and tenant. Throws `idempotency_conflict` if the key came with another request
 * before.
 */
export async function once<Body>(
  tx: Tx,
  repeatable: Repeatable,
  work: () => Promise<Answer<Body>>,
): Promise<Answer<Body>> {
  const { tenantId, key, request } = repeatable
  if (key === undefined) return work()
  const inserted = await tx
    .insertInto('idempotency_keys')
    .values({
      tenant_id: tenantId,
      idempotency_key: key,
      request_hash: hashOf(request),
      status: 0,
      body: '{}',
    })
    .onConflict((on) => on.doNothing())
    .executeTakeFirst()
  if (Number(inserted.numInsertedOrUpdatedRows ?? 0) === 0)
    return (await answered<Body>(tx, repeatable)) as Answer<Body>
  const answer = await work()
  await tx
    .updateTable('idempotency_keys')
    .set({ status: answer.status, body: JSON.stringify(answer.body) })
    .where('tenant_id', '=', tenantId)
    .where('idempotency_key', '=', key)
    .execute()
  return answer
}

/** Removes answers to requests from before a time. A later repetition of such a request is a new one. */
export async function forgetAnswers(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('idempotency_keys').where('created_at', '<', before).execute()
}
