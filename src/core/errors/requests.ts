/**
 * Why the service refuses a request: because of the caller, the request itself, or the state of its subject.
 */
import { row, type ErrorRow } from '../error-row.ts'

export const REQUEST_ERRORS = {
  unauthenticated: row(
    'configuration',
    401,
    'The request has no valid token: {reason}.',
    'Send Authorization: Bearer TOKEN. An operator creates tokens with headrace tenants token NAME; headrace login URL stores one on your machine.',
  ),
  forbidden: row(
    'configuration',
    403,
    'The role {role} may not {action}.',
    'Ask an {needed} to do it, or use a token with the role {needed}.',
  ),
  not_found: row('configuration', 404, 'There is no {what} {id}.', 'List what exists: {list}'),
  request_invalid: row(
    'configuration',
    400,
    'The request is not valid: {reason}',
    'Compare it with /api/v1/openapi.json, which describes every field.',
  ),
  name_taken: row(
    'conflict',
    409,
    'There is already a {what} named {name}.',
    'Choose another name, or change the existing {what}.',
  ),
  limit_reached: row('conflict', 409, 'The limit of {count} {what} is reached.', 'To make room: {how}.'),
  version_moved: row(
    'conflict',
    412,
    '{what} {id} has changed: its version is {found}, the request expects {expected}.',
    'Read it again, apply your change to the current version, and send the ETag of that version as If-Match.',
  ),
  idempotency_conflict: row(
    'conflict',
    409,
    'The Idempotency-Key {key} was already used for a different request.',
    'To get the first answer again, send the same body. For a new request, use a new key.',
  ),
  rate_limited: row(
    'transient',
    429,
    'More than {limit} requests a minute came from one tenant (or from one address, if the request has no tenant).',
    'Retry in {seconds} s, or ask an operator to raise the limit: headrace tenants change NAME --requests-per-minute N',
  ),
  too_many_tries: row(
    'transient',
    429,
    'Too many requests without a valid token came from {address}.',
    'Retry in {seconds} s with a valid token. Tokens that were used within the last hour are not delayed.',
  ),
  tenant_suspended: row(
    'configuration',
    403,
    'The tenant {tenant} is {status}.',
    'Ask an operator to activate it: headrace tenants change {tenant} --status active',
  ),
  validity_not_whole: row(
    'configuration',
    422,
    'From {from} to {until} is not a whole number of {period} periods.',
    'Set valid_until to {ends}.',
  ),
  capacity_not_for_sale: row(
    'conflict',
    409,
    'The purchase asks for {asked} dedicated units. Only {free} of {total} are free all the time from {from} to {until}.',
    'Buy at most {free} units, choose another time, or ask an operator for more capacity: headrace capacity set dedicated-cpu-ns --cores N --memory-gb N',
  ),
  purchase_state: row(
    'conflict',
    409,
    'The purchase is {status} and cannot be {action}.',
    'List the purchases and their status: {list}',
  ),
  job_state: row('conflict', 409, 'The job {job} is {status} and cannot be {action}.', '{instead}'),
  execution_state: row(
    'conflict',
    409,
    'The execution is {status} and cannot be {action}.',
    'Show its result: headrace executions show {id}',
  ),
} as const satisfies Record<string, ErrorRow>
