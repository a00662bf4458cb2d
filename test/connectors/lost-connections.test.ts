/**
 * What the drivers say of a connection that is gone, each in its own way: tried again, and not taken for a
 * mistake of the source.
 */
import { expect, test } from 'vitest'
import { isConnectionLost } from '../../src/connectors/table-source.ts'

test.each([
  [{ code: 'ECONNRESET', message: 'read ECONNRESET' }, true],
  [{ code: 'PROTOCOL_CONNECTION_LOST', message: 'Connection lost: The server closed the connection.' }, true],
  [{ message: "Can't add new command when connection is in closed state" }, true],
  [{ message: 'Connection terminated unexpectedly' }, true],
  [{ message: 'Client has encountered a connection error and is not queryable' }, true],
  [{ code: '57P01', message: 'terminating connection due to administrator command' }, true],
  [{ code: '08006', message: 'connection failure' }, true],
  [{ code: '42501', message: 'permission denied for table orders' }, false],
  [{ code: 'ER_NO_SUCH_TABLE', message: "Table 'shop.orders' doesn't exist" }, false],
  [{ message: 'Invalid time value' }, false],
])('%j: %s', (error, lost) => {
  expect(isConnectionLost(Object.assign(new Error(error.message), error))).toBe(lost)
})
