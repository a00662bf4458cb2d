/**
 * A Spark Connect session: runs plans, streams their rows back, and survives a broken connection. The server
 * may go away at any moment. Then the session ends with an error, and a new one must be opened, because
 * nothing of the old session remains.
 */
import { Metadata, type ClientReadableStream } from '@grpc/grpc-js'
import { randomUUID } from 'node:crypto'
import { failure, type HeadraceError } from '../../core/errors.ts'
import { arrowRows, type SparkRow } from './arrow-rows.ts'
import { classOf, isServiceError, isUnavailable, sparkError } from './errors.ts'
import {
  errorInfo,
  openService,
  type Command,
  type ErrorDetails,
  type ExecuteResponse,
  type Plan,
  type Relation,
  type RequestHead,
  type SparkService,
  type StageProgress,
} from './protocol.ts'
import { retry, type Pauses, backoff } from '../../core/waiting.ts'

export interface SparkOptions {
  /** `host:port`. */
  address: string
  tls: boolean
  /** Sent as a bearer token if given. Never logged. */
  token: string | undefined
  /** How long to retry a server that does not answer. */
  retryMs: number
}

export interface ExecuteOptions {
  /** For errors: "Spark could not <action>". */
  action: string
  signal?: AbortSignal
  onProgress?(stages: StageProgress[]): void
}

export interface SparkSession {
  readonly sessionId: string
  /** Spark's version. Also proves that a server is ready. */
  version(): Promise<string>
  /** Rows of a relation, decoded. All in memory: for results that are known to be small. */
  rows(relation: Relation, options: ExecuteOptions): Promise<SparkRow[]>
  /** Batches of a relation's rows in Arrow's stream format, as they arrive. */
  batches(relation: Relation, options: ExecuteOptions): AsyncGenerator<Uint8Array>
  run(command: Command, options: ExecuteOptions): Promise<void>
  /** Runs SQL text: returns the rows of a query, or the result of a statement. */
  sql(query: string, options?: Partial<ExecuteOptions>): Promise<SparkRow[]>
  configure(settings: Record<string, string>): Promise<void>
  /** Ends the session on the server, and closes the channel. */
  close(): Promise<void>
}

const UNARY_MS = 30_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 3_000
/**
 * How long an interrupted operation may take to confirm its end. Spark 4.0.0 never confirms if the interrupt
 * came before its thread ran: 6 of 20 that were interrupted within 40 ms; a second interrupt changes nothing.
 * After this time we stop waiting; releasing the operation ends it on the server.
 */
const INTERRUPT_MS = 3_000
/** Number of responses after which the server is told to forget those that arrived. */
const RELEASE_EVERY = 8

export function openSparkSession(options: SparkOptions): SparkSession {
  const service = openService(options.address, options.tls)
  const metadata = new Metadata()
  if (options.token !== undefined) metadata.set('authorization', `Bearer ${options.token}`)
  const head: RequestHead = {
    session_id: randomUUID(),
    user_context: { user_id: 'headrace', user_name: 'headrace' },
    client_type: 'headrace',
  }
  const wire: Wire = { options, service, metadata, head }
  const session: SparkSession = {
    sessionId: head.session_id,
    async version() {
      const answer = await unary<{ spark_version: { version: string } }>(wire, {
        name: 'analyzePlan',
        request: { spark_version: {} },
        action: 'say its version',
      })
      return answer.spark_version.version
    },
    async rows(relation, execution) {
      const found: SparkRow[] = []
      for await (const batch of session.batches(relation, execution)) found.push(...arrowRows(batch))
      return found
    },
    async *batches(relation, execution) {
      for await (const response of responses(wire, { root: relation }, execution))
        if (response.arrow_batch !== undefined && response.arrow_batch !== null)
          yield response.arrow_batch.data
    },
    async run(command, execution) {
      for await (const response of responses(wire, { command }, execution)) void response
    },
    async sql(query, execution = {}) {
      const named = { action: `run ${query.trim().slice(0, 80)}`, ...execution }
      const result = await resultOf(wire, query, named)
      const rows = result?.local_relation?.data
      if (rows !== undefined && rows !== null) return [...arrowRows(rows)]
      return result === undefined ? [] : session.rows(result, named)
    },
    async configure(settings) {
      const pairs = Object.entries(settings).map(([key, value]) => ({ key, value }))
      await unary(wire, {
        name: 'config',
        request: { operation: { set: { pairs } } },
        action: 'take settings',
      })
    },
    async close() {
      const release: Call = { name: 'releaseSession', request: {}, action: 'end the session', retryMs: 2_000 }
      await unary(wire, release).catch(() => undefined)
      service.close()
    },
  }
  return session
}

/** A query returns a relation that is still to be run; a statement has its rows in the relation itself. */
async function resultOf(wire: Wire, query: string, execution: ExecuteOptions): Promise<Relation | undefined> {
  const command: Command = { sql_command: { input: { sql: { query } } } }
  let result: Relation | undefined
  for await (const response of responses(wire, { command }, execution))
    result = response.sql_command_result?.relation ?? result
  return result
}

interface Wire {
  options: SparkOptions
  service: SparkService
  metadata: Metadata
  head: RequestHead
}

/** A call with one answer. */
interface Call {
  name: 'analyzePlan' | 'config' | 'interrupt' | 'releaseExecute' | 'releaseSession' | 'fetchErrorDetails'
  request: object
  /** For errors: "Spark could not <action>". */
  action: string
  /** How long to retry. Default: as long as the session allows. */
  retryMs?: number
}

/** Makes a call, and repeats it while the server is unreachable. */
async function unary<Response>(
  wire: Wire,
  { name, request, action, retryMs = wire.options.retryMs }: Call,
): Promise<Response> {
  const call = wire.service[name] as unknown as (
    all: object,
    metadata: Metadata,
    options: object,
    answer: (error: Error | null, response?: Response) => void,
  ) => void
  const once = (): Promise<Response> =>
    new Promise((done, failed) =>
      call.call(
        wire.service,
        { ...wire.head, ...request },
        wire.metadata,
        { deadline: Date.now() + UNARY_MS },
        (error, response) => (error === null ? done(response as Response) : failed(error)),
      ),
    )
  try {
    const response = await retry(once, { mayPass: isUnavailable, ...pausesOf(retryMs) })
    observe(wire, (response as { server_side_session_id?: string }).server_side_session_id)
    return response
  } catch (error) {
    throw sparkError(error, wire.options.address, action)
  }
}

/**
 * After its first answer, the server must stay the same: a restarted one has an empty session, which must not
 * be used unnoticed.
 */
function observe(wire: Wire, id: string | undefined): void {
  if (id) wire.head.client_observed_server_side_session_id = id
}

/** Retries a server that does not answer, with growing pauses, up to this time. */
const pausesOf = (withinMs: number): Pauses => ({
  withinMs,
  firstPauseMs: FIRST_PAUSE_MS,
  longestPauseMs: LONGEST_PAUSE_MS,
})

/**
 * The responses of a plan, each once, whatever happens to the connection. The end of a stream does not end
 * the operation: only an explicit message does. Until it comes, the operation is attached again after the
 * last response.
 */
async function* responses(
  wire: Wire,
  plan: Plan,
  execution: ExecuteOptions,
): AsyncGenerator<ExecuteResponse> {
  const { action } = execution
  const operation: Operation = { id: randomUUID(), plan, action, last: undefined, received: 0 }
  const interrupted = (): HeadraceError => failure('spark_interrupted', { action })
  if (execution.signal?.aborted) throw interrupted()
  let leaving: NodeJS.Timeout | undefined
  const onAbort = (): void => {
    unary(wire, {
      name: 'interrupt',
      request: { interrupt_type: 'INTERRUPT_TYPE_OPERATION_ID', operation_id: operation.id },
      action: 'stop',
    }).catch(() => undefined)
    leaving = setTimeout(() => stream.cancel(), INTERRUPT_MS)
  }
  execution.signal?.addEventListener('abort', onAbort, { once: true })
  let pause = backoff(pausesOf(wire.options.retryMs))
  let stream = start(wire, operation)
  try {
    for (;;) {
      try {
        for await (const response of stream as AsyncIterable<ExecuteResponse>) {
          observe(wire, response.server_side_session_id)
          operation.last = response.response_id
          operation.received += 1
          pause = backoff(pausesOf(wire.options.retryMs))
          if (response.result_complete) return
          if (response.execution_progress) execution.onProgress?.(response.execution_progress.stages)
          else yield response
          if (operation.received % RELEASE_EVERY === 0)
            forget(wire, operation, { release_until: { response_id: operation.last } })
        }
        if (execution.signal?.aborted) throw interrupted()
        stream = attach(wire, operation)
      } catch (error) {
        if (execution.signal?.aborted) throw interrupted()
        stream = await resumed(wire, operation, error, pause)
      }
    }
  } finally {
    execution.signal?.removeEventListener('abort', onAbort)
    clearTimeout(leaving)
    // Leaving a loop over a stream does not end the call.
    stream.cancel()
    forget(wire, operation, { release_all: {} })
  }
}

interface Operation {
  id: string
  plan: Plan
  action: string
  /** ID of the last response that arrived. */
  last: string | undefined
  received: number
}

function start(wire: Wire, operation: Operation): ClientReadableStream<ExecuteResponse> {
  return wire.service.executePlan(
    {
      ...wire.head,
      operation_id: operation.id,
      plan: operation.plan,
      tags: [],
      request_options: [{ reattach_options: { reattachable: true } }],
    },
    wire.metadata,
  )
}

function attach(wire: Wire, operation: Operation): ClientReadableStream<ExecuteResponse> {
  return wire.service.reattachExecute(
    {
      ...wire.head,
      operation_id: operation.id,
      ...(operation.last === undefined ? {} : { last_response_id: operation.last }),
    },
    wire.metadata,
  )
}

/**
 * What follows an error on the stream: attach again, start again if the server never received the operation,
 * or throw the error.
 */
async function resumed(
  wire: Wire,
  operation: Operation,
  error: unknown,
  pause: () => Promise<boolean>,
): Promise<ClientReadableStream<ExecuteResponse>> {
  if (isUnavailable(error) && (await pause())) return attach(wire, operation)
  if (classOf(error) === 'INVALID_HANDLE.OPERATION_NOT_FOUND' && operation.received === 0)
    return start(wire, operation)
  throw sparkError(error, wire.options.address, operation.action, await detailsOf(wire, error))
}

/** Asks the server for the cause of an error: the trailer holds only one line of it. */
async function detailsOf(wire: Wire, error: unknown): Promise<ErrorDetails | undefined> {
  const id = isServiceError(error) ? errorInfo(error).errorId : undefined
  if (id === undefined) return undefined
  const request = { error_id: id }
  const call: Call = { name: 'fetchErrorDetails', request, action: 'explain an error', retryMs: 0 }
  return unary<ErrorDetails>(wire, call).catch(() => undefined)
}

/** Lets the server forget responses. Nobody waits for it: keeping them too long only costs memory. */
function forget(wire: Wire, operation: Operation, what: object): void {
  const request = { operation_id: operation.id, ...what }
  const call: Call = { name: 'releaseExecute', request, action: 'release a result', retryMs: 0 }
  unary(wire, call).catch(() => undefined)
}
