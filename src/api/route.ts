/**
 * The type of an API route. Routes are data, so one list makes the server, its description and the test of
 * permissions.
 */
import type { Static, TSchema, TUndefined, TUnknown } from 'typebox'
import type { Service } from '../control/service.ts'
import type { Principal, Role } from '../core/service/nouns.ts'

/** All of the API is below it. */
export const PREFIX = '/api/v1'

/** A request that satisfies the schemas of its route. */
export interface Asked<Path = unknown, Query = unknown, Body = unknown> {
  by: Principal
  /** From the path. The caller's access has been checked. */
  tenantId: string
  path: Path
  query: Query
  body: Body
  /** Idempotency-Key. */
  key: string | undefined
  /** If-Match. */
  version: number | undefined
}

export interface Answered<Body = unknown> {
  status?: number
  body: Body
  /** Becomes the ETag. */
  version?: number
}

export interface Route<
  Path extends TSchema = TSchema,
  Query extends TSchema = TSchema,
  Body extends TSchema = TSchema,
  Answer extends TSchema = TSchema,
> {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  path: string
  /** For people, in the reference. */
  summary: string
  tag: string
  /** The least role that may call it. `anyone` needs no token. */
  needs: Role | 'anyone'
  params?: Path
  query?: Query
  body?: Body
  /** The answer on success. None for 204. */
  answer?: Answer
  status: number
  /** Accepts an Idempotency-Key. */
  repeatable?: boolean
  /** Changes nothing, although it is no GET: it has no dry run. */
  reads?: boolean
  /** Accepts If-Match and returns an ETag. */
  versioned?: boolean
  run(
    service: Service,
    asked: Asked<Static<Path>, Static<Query>, Static<Body>>,
  ): Promise<Answered<Static<Answer>>>
}

/** A route whose `run` must fit its schemas: they describe what it gets and what it returns. */
export function route<
  Path extends TSchema = TUnknown,
  Query extends TSchema = TUnknown,
  Body extends TSchema = TUnknown,
  Answer extends TSchema = TUndefined,
>(described: Route<Path, Query, Body, Answer>): Route {
  return described
}

/** For a 204. */
export async function noContent(work: Promise<void>): Promise<Answered<undefined>> {
  return { body: await work.then(() => undefined) }
}

/** An answer with its version as ETag. The answer of a deletion has none. */
export async function versioned<Body extends { version?: number }>(
  work: Promise<Body>,
): Promise<Answered<Body>> {
  const body = await work
  return { body, version: body.version }
}

/** Whether it accepts `dry_run=true`. */
export const hasDryRun = (route: Route): boolean => route.method !== 'GET' && route.reads !== true

const RANK: Record<Role, number> = { viewer: 0, editor: 1, owner: 2, operator: 3 }

export function mayRole(role: Role, needs: Role): boolean {
  return RANK[role] >= RANK[needs]
}
