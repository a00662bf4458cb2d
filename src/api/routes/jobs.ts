/** Jobs, quotes and executions. */
import { nothing, versioned, type Route } from '../route.ts'
import { Demotion, Evaluation, Execution, Id, Job, JobChange, JobRequest, NamedPageQuery, PageQuery, Promotion, Queued, Quote, TenantPath, Type, Why, page } from '../schemas.ts'

const tenantPath = Type.Object(TenantPath)
const jobPath = Type.Object({ ...TenantPath, job_id: Id('The job.') })
const executionPath = Type.Object({ ...TenantPath, execution_id: Id('The execution.') })
const executionQuery = Type.Object({ ...PageQuery, after: Type.Optional(Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT[0-9:.]{8,12}Z_[0-9a-f-]{36}$' })), job_id: Type.Optional(Id('Only of this job.')), status: Type.Optional(Type.String({ pattern: '^[a-z_]{1,20}$' })) })
const jobs = '/tenants/:tenant_id/jobs'

export const JOB_ROUTES: Route[] = [
  { method: 'POST', path: jobs, summary: 'Create a job; it begins as a draft', tag: 'jobs', needs: 'editor', params: tenantPath, body: JobRequest, answer: Job, status: 201, repeatable: true, run: (service, { by, tenantId, key, body }) => service.createJob(by, tenantId, key, body) },
  { method: 'GET', path: jobs, summary: 'List jobs', tag: 'jobs', needs: 'viewer', params: tenantPath, query: Type.Object(NamedPageQuery), answer: page(Job), status: 200, run: async (service, { tenantId, query }) => ({ body: await service.listJobs(tenantId, query as never) }) },
  { method: 'GET', path: `${jobs}/:job_id`, summary: 'A job', tag: 'jobs', needs: 'viewer', params: jobPath, answer: Job, status: 200, versioned: true, run: (service, { tenantId, path }) => versioned(service.getJob(tenantId, path.job_id)) },
  { method: 'PATCH', path: `${jobs}/:job_id`, summary: 'Change a job', tag: 'jobs', needs: 'editor', params: jobPath, body: JobChange, answer: Job, status: 200, versioned: true, run: (service, { by, tenantId, path, version, body }) => versioned(service.changeJob(by, tenantId, path.job_id, version, body)) },
  {
    method: 'DELETE', path: `${jobs}/:job_id`, summary: 'Delete a job and cancel what is open of it', tag: 'jobs', needs: 'editor', params: jobPath, status: 204,
    run: (service, { by, tenantId, path }) => nothing(service.deleteJob(by, tenantId, path.job_id)),
  },
  { method: 'POST', path: `${jobs}/:job_id/pause`, summary: 'Stop its schedule', tag: 'jobs', needs: 'editor', params: jobPath, answer: Job, status: 200, run: async (service, { by, tenantId, path }) => ({ body: await service.pauseJob(by, tenantId, path.job_id) }) },
  { method: 'POST', path: `${jobs}/:job_id/resume`, summary: 'Take its schedule up again', tag: 'jobs', needs: 'editor', params: jobPath, answer: Job, status: 200, run: async (service, { by, tenantId, path }) => ({ body: await service.resumeJob(by, tenantId, path.job_id) }) },
  { method: 'POST', path: `${jobs}/:job_id/run`, summary: 'Queue an execution now; of a draft, on a sample', tag: 'jobs', needs: 'editor', params: jobPath, answer: Queued, status: 202, repeatable: true, run: (service, { by, tenantId, path, key }) => service.runJob(by, tenantId, path.job_id, key) },
  { method: 'GET', path: `${jobs}/:job_id/evaluation`, summary: 'What its last draft run says', tag: 'jobs', needs: 'viewer', params: jobPath, answer: Evaluation, status: 200, run: async (service, { tenantId, path }) => ({ body: await service.evaluateJob(tenantId, path.job_id) }) },
  { method: 'POST', path: `${jobs}/:job_id/promote`, summary: 'Move it to production', tag: 'jobs', needs: 'editor', params: jobPath, answer: Promotion, status: 200, run: async (service, { by, tenantId, path }) => ({ body: await service.promoteJob(by, tenantId, path.job_id) }) },
  { method: 'POST', path: `${jobs}/:job_id/demote`, summary: 'Move it back to the drafts', tag: 'jobs', needs: 'editor', params: jobPath, answer: Demotion, status: 200, run: async (service, { by, tenantId, path }) => ({ body: await service.demoteJob(by, tenantId, path.job_id, `by ${by.name}`) }) },
  { method: 'POST', path: '/tenants/:tenant_id/quotes', summary: 'What would happen to a job if it were submitted now', tag: 'jobs', needs: 'viewer', params: tenantPath, body: JobRequest, answer: Quote, status: 200, reads: true, run: async (service, { tenantId, body }) => ({ body: await service.quote(tenantId, body) }) },
  {
    method: 'GET', path: '/tenants/:tenant_id/executions', summary: 'List executions, newest first', tag: 'executions', needs: 'viewer', params: tenantPath, query: executionQuery, answer: page(Execution), status: 200,
    run: async (service, { tenantId, query }) => ({ body: await service.listExecutions(tenantId, { ...(query as object), jobId: query.job_id } as never) }),
  },
  { method: 'GET', path: '/tenants/:tenant_id/executions/:execution_id', summary: 'An execution with its plan and receipt', tag: 'executions', needs: 'viewer', params: executionPath, answer: Execution, status: 200, run: async (service, { tenantId, path }) => ({ body: await service.getExecution(tenantId, path.execution_id) }) },
  { method: 'GET', path: '/tenants/:tenant_id/executions/:execution_id/log', summary: 'The newest part of its log', tag: 'executions', needs: 'viewer', params: executionPath, answer: Type.Object({ log: Type.String() }), status: 200, run: async (service, { tenantId, path }) => ({ body: { log: await service.executionLog(tenantId, path.execution_id) } }) },
  { method: 'GET', path: '/tenants/:tenant_id/executions/:execution_id/why', summary: 'Why it waits, is late, failed or cost what it did', tag: 'executions', needs: 'viewer', params: executionPath, answer: Why, status: 200, run: async (service, { tenantId, path }) => ({ body: await service.why(tenantId, path.execution_id) }) },
  { method: 'POST', path: '/tenants/:tenant_id/executions/:execution_id/cancel', summary: 'Cancel it', tag: 'executions', needs: 'editor', params: executionPath, answer: Execution, status: 200, run: async (service, { by, tenantId, path }) => ({ body: await service.cancelExecution(by, tenantId, path.execution_id) }) },
]
