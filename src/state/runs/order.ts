/** What a runner must know of an execution that it has claimed. */
import type { Db } from '../database.ts'

/** The present job, with its tenant's policy. */
export async function jobToRun(db: Db, jobId: string) {
  return db
    .selectFrom('ingestion_jobs as j')
    .innerJoin('tenants as t', 't.tenant_id', 'j.tenant_id')
    .select([
      'j.source_type',
      'j.source_config',
      'j.destination_config',
      'j.cursor',
      'j.sla_requirements',
      'j.continuous',
      't.policy',
    ])
    .where('j.job_id', '=', jobId)
    .executeTakeFirstOrThrow()
}

/** The hold of an execution, and its estimated run time. */
export async function bookedFor(db: Db, executionId: string) {
  return db
    .selectFrom('job_executions')
    .select(['holds', 'estimated_minutes'])
    .where('execution_id', '=', executionId)
    .executeTakeFirstOrThrow()
}
