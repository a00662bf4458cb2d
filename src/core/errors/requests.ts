/** What a request to the service is refused for: who asks, how, and the state of what it is about. */
import { row, type ErrorRow } from '../error-row.ts'

export const REQUEST_ERRORS = {
  unauthenticated: row(
    'configuration',
    401,
    'The request carries no valid token: {reason}.',
    'Send Authorization: Bearer TOKEN; headrace login stores one, an operator makes one with headrace tenants token.',
  ),
  forbidden: row(
    'configuration',
    403,
    'The role {role} may not {action}.',
    'Ask an {needed} of the tenant to do it, or for a token with that role.',
  ),
  not_found: row('configuration', 404, 'There is no {what} {id} here.', 'List what there is: {list}'),
  request_invalid: row(
    'configuration',
    400,
    'The request is not valid: {reason}',
    'Compare it with /api/v1/openapi.json, which describes every field.',
  ),
  name_taken: row(
    'conflict',
    409,
    'There is a {what} named {name} already.',
    'Choose another name, or change the one that is there.',
  ),
  limit_reached: row(
    'conflict',
    409,
    'There are {count} {what}, as many as there may be.',
    'Let go of one that is not needed any more: {how}.',
  ),
  version_moved: row(
    'conflict',
    412,
    '{what} {id} was changed meanwhile: its version is {found}, the request expects {expected}.',
    'Read it again, apply the change to what it is now, and send its ETag as If-Match.',
  ),
  idempotency_conflict: row(
    'conflict',
    409,
    'The Idempotency-Key {key} was used for another request.',
    'Send the same body to get the first answer again, or a new key for a new request.',
  ),
  rate_limited: row(
    'transient',
    429,
    'More than {limit} requests came in a minute from one tenant (or, without a tenant, from one address).',
    'Try again in {seconds} s, or ask an operator to raise requests_per_minute.',
  ),
  too_many_tries: row(
    'transient',
    429,
    'Too many requests without a valid token came from {address}.',
    'Try again in {seconds} s with a token that is valid; one that was used within the last hour is not held up.',
  ),
  tenant_suspended: row(
    'configuration',
    403,
    'The tenant {tenant} is {status}.',
    'An operator makes it active again: headrace tenants change {tenant} --status active',
  ),
  validity_not_whole: row(
    'configuration',
    422,
    '{from} to {until} is not a whole number of {period} periods.',
    'From that start, these ends are: {ends}.',
  ),
  capacity_not_for_sale: row(
    'conflict',
    409,
    '{asked} dedicated units are more than the {free} of {total} that are free all the time from {from} to {until}.',
    'Buy at most {free} units, choose another time, or raise capacity of dedicated-cpu-ns.',
  ),
  purchase_state: row(
    'conflict',
    409,
    'The purchase is {status}; it cannot be {action}.',
    'List purchases to see what each of them allows: {list}',
  ),
  job_state: row('conflict', 409, 'The job {job} is {status}; it cannot be {action}.', '{instead}'),
  execution_state: row(
    'conflict',
    409,
    'The execution is {status}; it cannot be {action}.',
    'Look at it: headrace executions show {id}',
  ),
} as const satisfies Record<string, ErrorRow>
