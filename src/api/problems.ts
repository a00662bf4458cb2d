/** Errors as answers: problem+json with the code, the numbers and the next step of the error table. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { STATUS_CODES } from 'node:http'
import { ERRORS, HeadraceError, failure, reasonOf } from '../core/errors.ts'

interface FromFastify {
  code?: string
  statusCode?: number
  validation?: { instancePath: string; message?: string; params?: { additionalProperty?: string } }[]
  validationContext?: string
  message: string
}

/**
 * Any error as one of the table. Our own keep their code; errors of the framework are those of the request.
 */
export function problemOf(error: unknown): HeadraceError {
  if (error instanceof HeadraceError) return error
  const { statusCode, validation, validationContext, message, code } = error as FromFastify
  if (validation !== undefined) {
    const [first] = validation
    const extra = first.params?.additionalProperty
    return failure(
      'request_invalid',
      {
        reason: `${validationContext ?? 'request'}${first.instancePath} ${first.message ?? 'is not valid'}${extra === undefined ? '' : `: ${extra.slice(0, 60)}`}.`,
      },
      error,
    )
  }
  if (statusCode === 413 || statusCode === 415 || statusCode === 400)
    return failure('request_invalid', { reason: message, status: statusCode }, error)
  // Class 22 of PostgreSQL's codes: a value that no column can hold, for example a zero byte in a text.
  if (/^22[0-9A-Z]{3}$/.test(String(code ?? '')))
    return failure(
      'request_invalid',
      { reason: `the database cannot store a value: ${reasonOf(error)}.` },
      error,
    )
  if (/^(08|57P0|ECONN)/.test(String(code ?? '')))
    return failure(
      'database_unreachable',
      { address: 'its configured address', reason: reasonOf(error) },
      error,
    )
  return failure('internal', { reason: reasonOf(error) }, error)
}

export function answerProblem(
  error: HeadraceError,
  request: FastifyRequest,
  reply: FastifyReply,
  log: (event: Record<string, unknown>) => void,
): FastifyReply {
  const given = error.params.status
  const status =
    error.code === 'request_invalid' && typeof given === 'number' ? given : ERRORS[error.code].status
  const ours = status >= 500 && error.errorClass === 'bug'
  if (ours)
    log({
      level: 'error',
      event: 'request.failed',
      method: request.method,
      route: request.routeOptions.url,
      error: String((error.cause as Error | undefined)?.stack ?? error.stack),
    })
  if (status === 429) reply.header('retry-after', String(error.params.seconds ?? 1))
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  // Internal details belong into our log, not into an answer.
  const detail = ours ? 'Something failed inside the service; its log has the details.' : error.message
  return reply
    .code(status)
    .header('content-type', 'application/problem+json')
    .serializer((body: unknown) => JSON.stringify(body))
    .send({
      type: `urn:headrace:error:${error.code}`,
      title: STATUS_CODES[status] ?? 'Error',
      status,
      detail: cut(detail),
      code: error.code,
      next: cut(error.next),
      ...(ours ? {} : { params: bounded(error.params) }),
    })
}

/** The answer repeats only part of a long request: it must not be many times as long. */
const TEXT_CHARS = 32_768
const PARAMS_CHARS = 65_536
/** A character takes up to six in JSON. */
const cut = (text: string): string =>
  JSON.stringify(text).length <= TEXT_CHARS ? text : `${text.slice(0, TEXT_CHARS / 6)}...`

function bounded(params: Record<string, unknown>): Record<string, unknown> {
  const short = Object.fromEntries(
    Object.entries(params).map(([name, value]) => [name, typeof value === 'string' ? cut(value) : value]),
  )
  return JSON.stringify(short).length <= PARAMS_CHARS ? short : {}
}
