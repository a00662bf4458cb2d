/** Why a draft is not promoted, and why an execution waits, ends or costs what it does (`headrace why`). */
import { row, type ErrorRow } from '../error-row.ts'

export const EXECUTION_ERRORS = {
  draft_missing: row(
    'conflict',
    409,
    'The job {job} has no finished draft execution to judge by.',
    'Run one first: headrace jobs run {job}',
  ),
  performance_below_threshold: row(
    'conflict',
    409,
    'The draft took {actual} s where {estimated} s were estimated: {ratio} times, more than 1.5.',
    'Raise cpu_cores or memory_gb, or buy more units, then run the draft again.',
  ),
  sample_too_small: row(
    'conflict',
    409,
    'The sample took {actual} s; under {least} s start-up hides what the job needs.',
    'Raise sample_rows of the source, then run the draft again.',
  ),
  no_purchase: row(
    'configuration',
    409,
    'The tenant has bought nothing that is valid at {at} and fits {cores} cores and {memory} GB.',
    'Buy dedicated units or vCPU-hours: headrace purchases add',
  ),
  no_balance: row(
    'configuration',
    409,
    'The execution needs {needed} vCPU-hours and {available} are left until {until}.',
    'Buy {missing} vCPU-hours, or lower cpu_cores or estimated_runtime_minutes.',
  ),
  no_entitlement: row(
    'configuration',
    409,
    '{cores} cores and {memory} GB are more than the {units} dedicated units of the tenant give ({unitCores} cores, {unitMemory} GB).',
    'Buy {missing} more units, or lower what the job asks for.',
  ),
  no_capacity: row(
    'transient',
    503,
    'No {minutes} minutes with {cores} cores and {memory} GB are free in {namespace} until {deadline}.',
    'It is tried again when capacity is given back; a later start is allowed by sla_window_hours.',
  ),
  window_missed: row(
    'transient',
    503,
    'It could not be started so that it ends by {deadline}: it waited for {minutes} minutes with {cores} cores and {memory} GB in {namespace}.',
    'Run it again, allow a later end with sla_window_hours, or buy dedicated units that are its own.',
  ),
  too_large: row(
    'configuration',
    409,
    '{cores} cores and {memory} GB are more than {namespace} has ({totalCores} cores, {totalMemory} GB).',
    'Lower cpu_cores or memory_gb, or raise the capacity of the installation.',
  ),
  waits_for_time: row(
    'transient',
    409,
    'It is booked for {at}.',
    'Nothing to do; headrace jobs run starts another execution now.',
  ),
  waits_in_queue: row(
    'transient',
    409,
    'It waits for its turn behind {ahead} execution(s).',
    'Buy a larger share, or set priority: high.',
  ),
  job_backs_off: row(
    'data',
    409,
    'The job failed {failures} times in a row; it runs again at {at}.',
    'Mend the cause ({last}), then: headrace jobs run {job}',
  ),
  runner_lost: row(
    'transient',
    500,
    'The runner {runner} was lost; attempt {attempt} ended with it.',
    'It was given back to the queue; what it held was released.',
  ),
  cancelled: row('conflict', 409, 'It was cancelled by {actor}.', 'Start another: headrace jobs run {job}'),
  runtime_exceeded: row(
    'data',
    500,
    'It ran {minutes} minutes, the most that max_runtime_minutes allows.',
    'Raise max_runtime_minutes, give it more cores, or read less at a time.',
  ),
  execution_memory_exceeded: row(
    'data',
    500,
    'It used {used} MiB of the {limit} MiB that it may.',
    'Raise memory_gb, or read less at a time.',
  ),
  hold_exhausted: row(
    'configuration',
    409,
    'It used its {held} vCPU-hours and no more are left.',
    'Buy more vCPU-hours, or set policy overage: debt for the tenant.',
  ),
  lender_called: row(
    'transient',
    409,
    'It ran in dedicated units that {lender} lent, and needs now.',
    'It was given back to the queue and goes on when its own capacity is free.',
  ),
} as const satisfies Record<string, ErrorRow>
