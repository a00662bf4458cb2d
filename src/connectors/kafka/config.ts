/** The settings of a connection to a broker from the declaration of a dataset: timeouts, TLS and logins. */
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { failure } from '../../core/errors.ts'
import type { KafkaSourceSpec } from '../../dataset/declaration.ts'
import type { ConnectionOptions } from './protocol.ts'

const CONNECT_TIMEOUT_MS = 5_000

const REQUEST_TIMEOUT_MS = 20_000

/** Reads the files that the declaration names. Throws `path_not_found`. */
export async function connectionOptions(spec: KafkaSourceSpec, host: string): Promise<ConnectionOptions> {
  const options: ConnectionOptions = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    maxInflights: 4,
  }
  if (spec.tls !== undefined) {
    const ca = spec.tls.ca === undefined ? undefined : await readSetting(spec.tls.ca)
    options.tls = { rejectUnauthorized: spec.tls.verify, ...(ca === undefined ? {} : { ca }) }
    // A server name must not be an address (RFC 6066, section 3). Certificates are then checked against the
    // address.
    if (isIP(host) === 0) options.tlsServerName = host
  }
  if (spec.sasl !== undefined) {
    const password = (await readSetting(spec.sasl.passwordFile)).trim()
    options.sasl = { mechanism: spec.sasl.mechanism, username: spec.sasl.username, password }
  }
  return options
}

async function readSetting(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw failure('path_not_found', { path, base: 'the current folder' }, error)
  }
}
