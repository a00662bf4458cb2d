/**
 * Errors of the service: why it refuses a request, and why an execution waits, ends or costs what it does.
 * One table for the API, CLI, metrics and `headrace why`. It is part of the table in errors.ts.
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
