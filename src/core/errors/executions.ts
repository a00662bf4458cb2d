/** Why a draft is not promoted, and why an execution waits, ends or costs what it does (`headrace why`). */
import { row, type ErrorRow } from '../error-row.ts'

export const EXECUTION_ERRORS = {
  draft_missing: row(
    'conflict',
    409,
    'The job {job} has no finished draft run to evaluate.',
    'Run the draft first: headrace jobs run {job}',
  ),
  performance_below_threshold: row(
    'conflict',
    409,
    'The draft run took {actual} s and was estimated at {estimated} s. That is {ratio} times the estimate; the limit is 1.5 times.',
    'Raise cpu_cores or memory_gb of the job (buy more units if it needs them), then run the draft again: headrace jobs run {job}',
  ),
  sample_too_small: row(
    'conflict',
    409,
    'The draft run took {actual} s. Below {least} s, start-up time hides how fast the job is.',
    'Raise sample_rows (into the zones: sample_messages) in source_config, then run the draft again: headrace jobs run {job}',
  ),
  no_purchase: row(
    'configuration',
    409,
    'The tenant has no purchase that is valid at {at} and fits {cores} cores and {memory} GB.',
    'Buy dedicated units or vCPU-hours, for example: headrace purchases add --type vcpu_hours --quantity 100',
  ),
  no_balance: row(
    'configuration',
    409,
    'The execution needs {needed} vCPU-hours. The tenant has {available} vCPU-hours until {until}.',
    'Buy {missing} more vCPU-hours (headrace purchases add --type vcpu_hours --quantity N), or lower cpu_cores or estimated_runtime_minutes of the job.',
  ),
  no_entitlement: row(
    'configuration',
    409,
    'The job asks for {cores} cores and {memory} GB. The {units} dedicated units of the tenant give {unitCores} cores and {unitMemory} GB.',
    'Buy {missing} more units (headrace purchases add --type dedicated_units --quantity {missing}), or lower cpu_cores or memory_gb of the job.',
  ),
  no_capacity: row(
    'transient',
    503,
    '{namespace} has no {minutes} minutes with {cores} free cores and {memory} free GB before {deadline}.',
    'The scheduler tries again when capacity is released. To allow later starts, raise sla_window_hours of the job.',
  ),
  window_missed: row(
    'transient',
    503,
    'The execution could not start early enough to end by {deadline}. {namespace} had no {minutes} minutes with {cores} free cores and {memory} free GB.',
    'Run the job again, raise its sla_window_hours, or buy dedicated units.',
  ),
  too_large: row(
    'configuration',
    409,
    'The job asks for {cores} cores and {memory} GB. {namespace} has {totalCores} cores and {totalMemory} GB in total.',
    'Lower cpu_cores or memory_gb of the job, or ask an operator for more capacity: headrace capacity set {namespace} --cores N --memory-gb N',
  ),
  waits_for_time: row(
    'transient',
    409,
    'The execution is booked for {at}.',
    'No action is needed. To start another execution now: headrace jobs run JOB',
  ),
  waits_in_queue: row(
    'transient',
    409,
    'The execution waits in the queue behind {ahead} other execution(s).',
    'To start earlier, set "priority": "high" in sla_requirements or buy more: a larger purchase is a larger share of the queue.',
  ),
  no_runner: row(
    'transient',
    503,
    'The execution was due {seconds} s ago and has not started. {runners} runner(s) are alive. In {namespace}, {busyCores} of {totalCores} cores and {busyMemory} of {totalMemory} GB are in use; the execution needs {cores} cores and {memory} GB.',
    'It starts as soon as a runner has room, and its SLA counts as missed. If no runner is alive, an operator must start one: headrace serve --role runner. If cores are in use past their booking, raise estimated_runtime_minutes of the jobs that run too long.',
  ),
  runner_lost: row(
    'transient',
    500,
    'Attempt {attempt} ended early because its runner stopped: {runner}.',
    'The hold and the booking were released. Headrace tries an execution up to 3 times; after that, start a new one: headrace jobs run JOB',
  ),
  cancelled: row(
    'conflict',
    409,
    'The execution was cancelled by {actor}.',
    'To start another: headrace jobs run JOB',
  ),
  runtime_exceeded: row(
    'data',
    500,
    'The execution ran for {minutes} minutes, the limit that max_runtime_minutes sets.',
    'Raise max_runtime_minutes, give the job more cores, or read less data in one run.',
  ),
  execution_memory_exceeded: row(
    'data',
    500,
    'The execution used {used} MiB of memory. Its limit is {limit} MiB.',
    'Raise memory_gb of the job, or read less data in one run.',
  ),
  hold_exhausted: row(
    'configuration',
    409,
    'The execution used the {held} vCPU-hours that it held, and the tenant has none left.',
    'Buy more vCPU-hours (headrace purchases add --type vcpu_hours --quantity N), or ask an operator to allow debt (headrace tenants change NAME --overage debt). Then run the job again (a stream continues by itself), and raise estimated_runtime_minutes if it needs longer.',
  ),
  lender_called: row(
    'transient',
    409,
    'The execution ran on dedicated units that {lender} lent and needs back now.',
    'No action is needed. The execution is in the queue again and runs when capacity is free.',
  ),
} as const satisfies Record<string, ErrorRow>
