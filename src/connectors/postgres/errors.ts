/** Turns answers of a PostgreSQL server, and failures of its connection, into errors of our table. */
import pg from 'pg'
import { failure, reasonOf } from '../../core/errors.ts'
import { tlsError } from '../database-tls.ts'
import { isConnectionLost } from '../table-source.ts'

/** The error of a failure while rows were read. */
export function readError(error: unknown, at: string): Error {
  if (isConnectionLost(error))
    return failure('source_unreachable', { address: at, reason: reasonOf(error) }, error)
  return error instanceof pg.DatabaseError
    ? failure('source_failed', { address: at, reason: reasonOf(error) }, error)
    : (error as Error)
}

/** The error of a failure before there was a connection. */
export function connectError(error: unknown, at: string): Error {
  const { code } = error as { code?: string }
  const reason = reasonOf(error)
  const insecure = tlsError(error, at)
  if (insecure !== undefined) return insecure
  if (code === '28P01' || code === '28000')
    return failure('source_auth_failed', { address: at, reason, secret: 'credentials_secret' }, error)
  if (code === '3D000')
    return failure(
      'source_not_found',
      { address: at, what: 'such database', known: 'psql -l lists the databases.' },
      error,
    )
  return failure('source_unreachable', { address: at, reason }, error)
}
