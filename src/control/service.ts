/**
 * The use cases of the service, one method per request. The caller has checked that the role of the principal
 * may do it (api/auth.ts). Each method acts for `tenantId` only, and the database checks that again. Bodies
 * and answers have the field names of the API. Errors are those of the error table. A method that throws has
 * changed nothing.
 */
import type { NamedPage, Page, Principal } from '../core/service/nouns.ts'
import type {
  CapacityChange,
  CapacityOffer,
  CapacityPlan,
  Metrics,
  Slot,
  SlotQuery,
} from './schemas/capacity.ts'
import type { Event, Webhook, WebhookRequest } from './schemas/events.ts'
import type { Estimation, EstimationRequest, TrackRecord } from './schemas/estimation.ts'
import type { Execution, ExecutionQuery, Quote, Why } from './schemas/executions.ts'
import type {
  Demotion,
  Evaluation,
  Job,
  JobChange,
  JobRequest,
  Promotion,
  Queued,
  SlaTiers,
} from './schemas/jobs.ts'
import type { LedgerEntry, LedgerQuery, Purchase, PurchaseRequest, Usage } from './schemas/purchases.ts'
import type { Readiness } from './schemas/service.ts'
import type {
  NewToken,
  SecretName,
  SecretRequest,
  Tenant,
  TenantChange,
  TenantRequest,
  Token,
  TokenRequest,
} from './schemas/tenants.ts'
import type { PriceList } from '../scheduling/terms.ts'
import type { Answer } from '../state/idempotency.ts'

export interface Listed<Item> {
  items: Item[]
  /** Pass it as `after` to get the next page. Undefined on the last page. */
  next: string | undefined
}

export interface Service {
  readonly version: string
  /** The holder of a bearer token. Throws `unauthenticated`. */
  principal(token: string): Promise<Principal>
  /** Requests that a tenant may send per minute. */
  requestLimit(tenantId: string): Promise<number>
  ready(): Promise<Readiness>
  /** The metrics for Prometheus. */
  serviceMetrics(): Promise<{ type: string; text: string }>
  /** Counts an answered request. `route` is its pattern. */
  answered(route: string, status: number, seconds: number): void

  createTenant(by: Principal, body: TenantRequest): Promise<Tenant>
  listTenants(page: NamedPage): Promise<Listed<Tenant>>
  getTenant(tenantId: string): Promise<Tenant>
  changeTenant(
    by: Principal,
    tenantId: string,
    version: number | undefined,
    body: TenantChange,
  ): Promise<Partial<Tenant>>
  createToken(by: Principal, tenantId: string, body: TokenRequest): Promise<NewToken>
  listTokens(tenantId: string): Promise<Listed<Token>>
  revokeToken(by: Principal, tenantId: string, tokenId: string): Promise<void>

  /** Safe to repeat with the same key: the first answer comes again. */
  buy(
    by: Principal,
    tenantId: string,
    key: string | undefined,
    body: PurchaseRequest,
  ): Promise<Answer<Purchase>>
  listPurchases(tenantId: string, page: Page): Promise<Listed<Purchase>>
  getPurchase(tenantId: string, purchaseId: string): Promise<Purchase>
  cancelPurchase(by: Principal, tenantId: string, purchaseId: string): Promise<Purchase>
  usage(tenantId: string): Promise<Usage>
  ledger(tenantId: string, query: LedgerQuery): Promise<Listed<LedgerEntry>>
  prices(): Promise<PriceList>
  setPrices(by: Principal, body: PriceList): Promise<PriceList>

  createJob(by: Principal, tenantId: string, key: string | undefined, body: JobRequest): Promise<Answer<Job>>
  listJobs(tenantId: string, page: NamedPage): Promise<Listed<Job>>
  getJob(tenantId: string, jobId: string): Promise<Job>
  /** `version`: the version that the request names. Undefined: any version. */
  changeJob(
    by: Principal,
    tenantId: string,
    jobId: string,
    change: { version: number | undefined; body: JobChange },
  ): Promise<Job>
  pauseJob(by: Principal, tenantId: string, jobId: string): Promise<Job>
  resumeJob(by: Principal, tenantId: string, jobId: string): Promise<Job>
  deleteJob(by: Principal, tenantId: string, jobId: string): Promise<void>
  /** Queues an execution: a draft runs on a sample, a production job on all new data. */
  runJob(by: Principal, tenantId: string, jobId: string, key: string | undefined): Promise<Answer<Queued>>
  evaluateJob(tenantId: string, jobId: string): Promise<Evaluation>
  promoteJob(by: Principal, tenantId: string, jobId: string): Promise<Promotion>
  demoteJob(by: Principal, tenantId: string, jobId: string, reason: string): Promise<Demotion>
  quote(tenantId: string, body: JobRequest): Promise<Quote>

  listExecutions(tenantId: string, query: ExecutionQuery): Promise<Listed<Execution>>
  getExecution(tenantId: string, executionId: string): Promise<Execution>
  executionLog(tenantId: string, executionId: string): Promise<string>
  cancelExecution(by: Principal, tenantId: string, executionId: string): Promise<Execution>
  /** Why an execution waits, is late, was refused, failed or cost what it did. */
  why(tenantId: string, executionId: string): Promise<Why>

  /** `tenantId`: the tenant whose runs of the same source count; empty for an operator. */
  estimate(tenantId: string, body: EstimationRequest): Promise<Estimation>
  /** How right estimates were, of one source type or of each that has runs. Empty for an operator: of all. */
  trackRecords(tenantId: string, sourceType?: string): Promise<TrackRecord[]>
  slots(query: SlotQuery): Promise<Listed<Slot>>
  metrics(tenantId: string): Promise<Metrics>
  /** What the installation offers, with its overcommit. */
  capacity(): Promise<CapacityOffer>
  setCapacity(by: Principal, body: CapacityChange): Promise<CapacityOffer>
  /** Named promises that jobs can use. */
  slaTiers(): Promise<SlaTiers>
  setSlaTiers(by: Principal, body: SlaTiers): Promise<SlaTiers>
  /**
   * When capacity will be short, by its own history, and what tenants could buy instead of their present
   * purchases.
   */
  capacityPlan(horizonDays: number): Promise<CapacityPlan>
  /** Events after a number, oldest first. An operator gets those of all tenants. */
  events(tenantId: string | undefined, after: string, limit: number): Promise<Event[]>
  /**
   * The newest event up to which all events are visible. With a number: also the tenants of the events in
   * between; null stands for the installation.
   */
  news(after?: string): Promise<{ newest: string; tenants: (string | null)[] }>
  /**
   * Without a tenant: a webhook of the installation, which gets the events of every tenant. A `mailto:`
   * address gets mail.
   */
  createWebhook(by: Principal, tenantId: string | undefined, body: WebhookRequest): Promise<Webhook>
  listWebhooks(tenantId: string | undefined): Promise<Listed<Webhook>>
  deleteWebhook(by: Principal, tenantId: string | undefined, webhookId: string): Promise<void>
  /** Write-only: no request returns a value. */
  setSecret(by: Principal, tenantId: string, name: string, value: SecretRequest['value']): Promise<void>
  listSecrets(tenantId: string): Promise<Listed<SecretName>>
  deleteSecret(by: Principal, tenantId: string, name: string): Promise<void>
}
