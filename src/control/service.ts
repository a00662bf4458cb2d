/**
 * The use cases of the service, one method a request. Whoever calls has checked that the principal's role may
 * (api/auth.ts); each method acts for `tenantId` only, and the database checks that again. Bodies and answers
 * have the field names of the API. Errors are those of the error table; a method that throws has changed
 * nothing.
 */
import type {
  EstimationRequest,
  JobRequest,
  NamedPage,
  Page,
  Principal,
  PurchaseRequest,
  Quote,
  Role,
  SlaTier,
} from '../core/service/nouns.ts'

export type Answer = Record<string, unknown>
export interface Listed {
  items: Answer[]
  /** Give it as `after` for the next page; undefined on the last. */
  next: string | undefined
}

export interface Service {
  readonly version: string
  /** Who a bearer token speaks for; throws `unauthenticated`. */
  principal(token: string): Promise<Principal>
  /** Requests a tenant may send in a minute. */
  requestLimit(tenantId: string): Promise<number>
  ready(): Promise<{ ready: boolean; checks: Record<string, string> }>
  /** For Prometheus. */
  serviceMetrics(): Promise<{ type: string; text: string }>
  /** A request was answered; `route` is its pattern. */
  answered(route: string, status: number, seconds: number): void

  createTenant(by: Principal, body: { tenant_name: string; policy?: Answer }): Promise<Answer>
  listTenants(page: NamedPage): Promise<Listed>
  getTenant(tenantId: string): Promise<Answer>
  changeTenant(
    by: Principal,
    tenantId: string,
    version: number | undefined,
    body: { tenant_name?: string; status?: string; policy?: Answer },
  ): Promise<Answer>
  createToken(
    by: Principal,
    tenantId: string,
    body: { token_name: string; role: Role; expires_at?: string },
  ): Promise<Answer>
  listTokens(tenantId: string): Promise<Listed>
  revokeToken(by: Principal, tenantId: string, tokenId: string): Promise<void>

  /** Safe to repeat with the same key: the first answer again. */
  buy(
    by: Principal,
    tenantId: string,
    key: string | undefined,
    body: PurchaseRequest,
  ): Promise<{ status: number; body: Answer }>
  listPurchases(tenantId: string, page: Page): Promise<Listed>
  getPurchase(tenantId: string, purchaseId: string): Promise<Answer>
  cancelPurchase(by: Principal, tenantId: string, purchaseId: string): Promise<Answer>
  usage(tenantId: string): Promise<Answer>
  ledger(tenantId: string, page: Page & { executionId?: string }): Promise<Listed>
  prices(): Promise<Answer>
  setPrices(by: Principal, body: Answer): Promise<Answer>

  createJob(
    by: Principal,
    tenantId: string,
    key: string | undefined,
    body: JobRequest,
  ): Promise<{ status: number; body: Answer }>
  listJobs(tenantId: string, page: NamedPage): Promise<Listed>
  getJob(tenantId: string, jobId: string): Promise<Answer>
  changeJob(
    by: Principal,
    tenantId: string,
    jobId: string,
    version: number | undefined,
    body: Partial<JobRequest>,
  ): Promise<Answer>
  pauseJob(by: Principal, tenantId: string, jobId: string): Promise<Answer>
  resumeJob(by: Principal, tenantId: string, jobId: string): Promise<Answer>
  deleteJob(by: Principal, tenantId: string, jobId: string): Promise<void>
  /** Queues an execution: a draft's on a sample, a production job's on everything new. */
  runJob(
    by: Principal,
    tenantId: string,
    jobId: string,
    key: string | undefined,
  ): Promise<{ status: number; body: Answer }>
  evaluateJob(tenantId: string, jobId: string): Promise<Answer>
  promoteJob(by: Principal, tenantId: string, jobId: string): Promise<Answer>
  demoteJob(by: Principal, tenantId: string, jobId: string, reason: string): Promise<Answer>
  quote(tenantId: string, body: JobRequest): Promise<Quote>

  listExecutions(tenantId: string, page: Page & { jobId?: string; status?: string }): Promise<Listed>
  getExecution(tenantId: string, executionId: string): Promise<Answer>
  executionLog(tenantId: string, executionId: string): Promise<string>
  cancelExecution(by: Principal, tenantId: string, executionId: string): Promise<Answer>
  /** Why an execution waits, is late, was refused, failed or cost what it did. */
  why(tenantId: string, executionId: string): Promise<Answer>

  /** `tenantId`: whose runs of the same source are looked at; empty for an operator. */
  estimate(tenantId: string, body: EstimationRequest): Promise<Answer>
  slots(query: { namespace?: string; from?: string; hours: number }): Promise<Listed>
  metrics(tenantId: string): Promise<Answer>
  /** What the installation offers, and the overcommit that it is. */
  capacity(): Promise<Answer>
  setCapacity(by: Principal, body: Record<string, { cpu_cores: number; memory_gb: number }>): Promise<Answer>
  /** Promises under a name, which jobs take over. */
  slaTiers(): Promise<Answer>
  setSlaTiers(by: Principal, body: { tiers: Record<string, SlaTier> }): Promise<Answer>
  /** When capacity will be short by its own history, and what tenants could buy instead of what they have. */
  capacityPlan(horizonDays: number): Promise<Answer>
  /** Events after a number, oldest first; all tenants' for an operator. */
  events(tenantId: string | undefined, after: string, limit: number): Promise<Answer[]>
  /**
   * The newest event up to which all are there and, with a number, whose events lie between; null: the
   * installation's own.
   */
  news(after?: string): Promise<{ newest: string; tenants: (string | null)[] }>
  /** Without a tenant: the installation's, told of every tenant's events. A `mailto:` address gets mail. */
  createWebhook(
    by: Principal,
    tenantId: string | undefined,
    body: { url: string; events: string[]; secret_name?: string },
  ): Promise<Answer>
  listWebhooks(tenantId: string | undefined): Promise<Listed>
  deleteWebhook(by: Principal, tenantId: string | undefined, webhookId: string): Promise<void>
  /** Write-only: a value is never given back. */
  setSecret(by: Principal, tenantId: string, name: string, value: Record<string, string>): Promise<void>
  listSecrets(tenantId: string): Promise<Listed>
  deleteSecret(by: Principal, tenantId: string, name: string): Promise<void>
}
