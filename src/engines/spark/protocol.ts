/**
 * Spark Connect's messages as objects, and the service that carries them. The .proto file next to this one is
 * read when a session opens: nothing is generated, and the part of the protocol that we use fits one page
 * (docs/decisions/0007).
 */
import {
  credentials,
  loadPackageDefinition,
  type ClientReadableStream,
  type Metadata,
  type ServiceError,
} from '@grpc/grpc-js'
import { loadSync, type MessageTypeDefinition, type PackageDefinition } from '@grpc/proto-loader'
import { fileURLToPath } from 'node:url'

export interface Relation {
  read?: {
    data_source: { format: string; schema?: string; options?: Record<string, string>; paths?: string[] }
  }
  project?: { input: Relation; expressions: { expression_string: { expression: string } }[] }
  sql?: { query: string }
  local_relation?: { data?: Uint8Array; schema?: string }
  subquery_alias?: { input: Relation; alias: string }
  with_relations?: { root: Relation; references: Relation[] }
}

export interface WriteOperation {
  input: Relation
  source: string
  path?: string
  mode: 'SAVE_MODE_APPEND' | 'SAVE_MODE_OVERWRITE' | 'SAVE_MODE_ERROR_IF_EXISTS'
  partitioning_columns?: string[]
  options?: Record<string, string>
}

export interface Command {
  write_operation?: WriteOperation
  sql_command?: { input: Relation }
}

export interface Plan {
  root?: Relation
  command?: Command
}

export interface StageProgress {
  stage_id: number
  num_tasks: number
  num_completed_tasks: number
  input_bytes_read: number
  done: boolean
}

export interface ExecuteResponse {
  server_side_session_id: string
  response_id: string
  arrow_batch?: { row_count: number; data: Uint8Array }
  sql_command_result?: { relation: Relation }
  result_complete?: object
  execution_progress?: { stages: StageProgress[]; num_inflight_tasks: number }
}

export interface ErrorDetails {
  root_error_idx?: number
  errors: {
    error_type_hierarchy: string[]
    message: string
    cause_idx?: number
    spark_throwable?: { error_class?: string; message_parameters: Record<string, string>; sql_state?: string }
  }[]
}

/** Every request names its session, and the server that it expects. */
export interface RequestHead {
  session_id: string
  client_observed_server_side_session_id?: string
  user_context: { user_id: string; user_name: string }
  client_type: string
}

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline: number },
  answer: (error: ServiceError | null, response?: Response) => void,
) => void
type Streaming<Request> = (request: Request, metadata: Metadata) => ClientReadableStream<ExecuteResponse>

export interface SparkService {
  executePlan: Streaming<
    RequestHead & { operation_id: string; plan: Plan; tags: string[]; request_options: object[] }
  >
  reattachExecute: Streaming<RequestHead & { operation_id: string; last_response_id?: string }>
  releaseExecute: Unary<
    RequestHead & { operation_id: string; release_all?: object; release_until?: { response_id: string } },
    object
  >
  interrupt: Unary<
    RequestHead & { interrupt_type: string; operation_id?: string },
    { interrupted_ids: string[] }
  >
  analyzePlan: Unary<
    RequestHead & { spark_version: object },
    { server_side_session_id: string; spark_version: { version: string } }
  >
  config: Unary<
    RequestHead & {
      operation: { set?: { pairs: { key: string; value: string }[] }; get?: { keys: string[] } }
    },
    { pairs: { key: string; value?: string }[] }
  >
  releaseSession: Unary<RequestHead, object>
  fetchErrorDetails: Unary<RequestHead & { error_id: string }, ErrorDetails>
  close(): void
}

const OPTIONS = { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true } as const

const load = (name: string): PackageDefinition =>
  loadSync(fileURLToPath(new URL(name, import.meta.url)), OPTIONS)

interface Loaded {
  spark: {
    connect: {
      SparkConnectService: new (
        address: string,
        channel: ReturnType<typeof credentials.createInsecure>,
        options: Record<string, number>,
      ) => SparkService
    }
  }
}

/** A message may carry a batch of result rows. Spark's own limit for them is 128 MiB. */
const MESSAGE_BYTES = 128 * 1024 * 1024

/**
 * How often to ping a silent server. gRPC for Java ends the connection of a client that pings more than twice
 * within five minutes without traffic (`permitKeepAliveTime`; Spark does not change it), and Spark sends
 * nothing until a job runs.
 */
const KEEPALIVE_MS = 330_000

/**
 * Opens a channel; it sends nothing yet. `tls`: verify the server's certificate, as for every address other
 * than this machine's.
 */
export function openService(address: string, tls: boolean): SparkService {
  const { spark } = loadPackageDefinition(load('connect.proto')) as unknown as Loaded
  const limits = {
    'grpc.max_receive_message_length': MESSAGE_BYTES,
    'grpc.max_send_message_length': MESSAGE_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
  }
  return new spark.connect.SparkConnectService(
    address,
    tls ? credentials.createSsl() : credentials.createInsecure(),
    limits,
  )
}

/** The ID and class of the error from the trailer of a failed call, if the server sent them. */
export function errorInfo(error: ServiceError): Record<string, string> {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? []
  if (!Buffer.isBuffer(bytes)) return {}
  const types = load('rpc-status.proto') as unknown as Record<string, MessageTypeDefinition<object, object>>
  const { details } = types['google.rpc.Status'].deserialize(bytes) as {
    details: { type_url: string; value: Buffer }[]
  }
  const info = details.find((detail) => detail.type_url.endsWith('google.rpc.ErrorInfo'))
  if (info === undefined) return {}
  return (types['google.rpc.ErrorInfo'].deserialize(info.value) as { metadata: Record<string, string> })
    .metadata
}
