/**
 * Errors of the service: what a request is refused for, and the reasons why an execution waits, ends or costs
 * what it does. One table for API, CLI, metrics and `headrace why`. Joined into the table of errors.ts.
 */
import type { ErrorRow } from '../error-row.ts'
import { EXECUTION_ERRORS } from './executions.ts'
import { INSTALLATION_ERRORS } from './installation.ts'
import { JOB_SETTING_ERRORS } from './job-settings.ts'
import { REQUEST_ERRORS } from './requests.ts'

export const SERVICE_ERRORS = {
  ...REQUEST_ERRORS,
  ...JOB_SETTING_ERRORS,
  ...EXECUTION_ERRORS,
  ...INSTALLATION_ERRORS,
} as const satisfies Record<string, ErrorRow>
