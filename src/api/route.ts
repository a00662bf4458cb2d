/**
 * What a route of the API is: data, so that one list makes the server, its description and the test of who
 * may do what.
 */
import type { TSchema } from 'typebox'
import type { Service } from '../control/service.ts'
import type { Principal, Role } from '../core/service/nouns.ts'

/** All of the API lies below it. */
export const PREFIX = '/api/v1'

export interface Asked {
  by: Principal
  /** Of the path, and by then known to be the caller's. */
  tenantId: string
  path: Record<string, string>
  query: Record<string, never>
  body: never
  /** Idempotency-Key. */
  key: string | undefined
  /** If-Match. */
  version: number | undefined
}

export interface Answered {
  status?: number
  body?: unknown
  /** Becomes the ETag. */
  version?: number
}

export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  /** For people, in the reference. */
  summary: string
  tag: string
  /** The least role that may; `anyone` needs no token. */
  needs: Role | 'anyone'
  params?: TSchema
  query?: TSchema
  body?: TSchema
  /** What it answers with when it succeeds; nothing for 204. */
  answer?: TSchema
  status: number
  /** Takes an Idempotency-Key. */
  repeatable?: boolean
  /** Changes nothing, though it is no GET: it has no dry run. */
  reads?: boolean
  /** Takes If-Match and gives an ETag. */
  versioned?: boolean
  run(service: Service, asked: Asked): Promise<Answered>
}

/** For a 204. */
export async function nothing(work: Promise<void>): Promise<Answered> {
  await work
  return {}
}

/** An answer with its version as ETag; one of something deleted has none. */
export async function versioned(work: Promise<Record<string, unknown>>): Promise<Answered> {
  const body = await work
  return { body, version: body.version === undefined ? undefined : Number(body.version) }
}

/** Whether it can be asked for with `dry_run=true`. */
export const hasDryRun = (route: Route): boolean => route.method !== 'GET' && route.reads !== true

const RANK: Record<Role, number> = { viewer: 0, editor: 1, owner: 2, operator: 3 }

export function mayRole(role: Role, needs: Role): boolean {
  return RANK[role] >= RANK[needs]
}
