/** Turns answers of a MySQL server, and failures of its connection, into errors of our table. */
import { failure, reasonOf } from '../../core/errors.ts'
import { tlsError } from '../database-tls.ts'
import { isConnectionLost } from '../table-source.ts'
import type { MysqlConfig } from './config.ts'

/** The error of a failure while rows were read. */
export function readError(error: unknown, at: string): Error {
  if (isConnectionLost(error))
    return failure('source_unreachable', { address: at, reason: reasonOf(error) }, error)
  if ((error as { sqlState?: string }).sqlState === undefined) return error as Error
  return failure('source_failed', { address: at, reason: reasonOf(error) }, error)
}

/** The error of a failure before there was a connection. */
export function connectError(error: unknown, at: string, config: MysqlConfig): Error {
  const { code } = error as { code?: string }
  const reason = reasonOf(error)
  const insecure = tlsError(error, at)
  if (insecure !== undefined) return insecure
  if (code === 'ER_ACCESS_DENIED_ERROR' || code === 'ER_DBACCESS_DENIED_ERROR') {
    return failure('source_auth_failed', { address: at, reason, secret: 'credentials_secret' }, error)
  }
  if (code === 'ER_BAD_DB_ERROR') {
    return failure(
      'source_not_found',
      { address: at, what: `database ${config.database}`, known: 'SHOW DATABASES lists the databases.' },
      error,
    )
  }
  return failure('source_unreachable', { address: at, reason }, error)
}
