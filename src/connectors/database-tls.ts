/**
 * Secures a connection to a database: by TLS, unless the server is this machine or the source sets another
 * mode.
 */
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { failure } from '../core/errors.ts'

/**
 * `require`: nobody can eavesdrop, but anybody could pose as the server. `verify-full`: the server proves its
 * host name with a certificate.
 */
export const TLS_MODES = ['disable', 'require', 'verify-full'] as const
export type TlsMode = (typeof TLS_MODES)[number]

export interface TlsConfig {
  host: string
  ssl?: TlsMode
  /** Certificates of the authorities that may have signed the server's certificate, as PEM text. */
  ca?: string
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

function isLoopback(address: string): boolean {
  return (
    (isIPv4(address) && LOOPBACK.check(address, 'ipv4')) ||
    (isIPv6(address) && LOOPBACK.check(address, 'ipv6'))
  )
}

export interface DatabaseTls {
  mode: TlsMode
  ca?: string
}

/**
 * `address`: the resolved address of the host. Authorities without `ssl` are used. Throws `setting_missing`.
 */
export function tlsOf({ ssl, ca: own }: TlsConfig, address: string, secret: { ca?: string }): DatabaseTls {
  const ca = own ?? secret.ca
  const mode = ssl ?? usualMode(ca, address)
  const where = 'source_config'
  if (!TLS_MODES.includes(mode)) {
    throw failure('setting_missing', {
      where,
      setting: `ssl as one of ${TLS_MODES.join(', ')}`,
      example: '"ssl": "require"',
    })
  }
  if (ca !== undefined && !/-----BEGIN (TRUSTED )?CERTIFICATE-----/.test(ca)) {
    const example = '"ca": "-----BEGIN CERTIFICATE-----\\n..."'
    throw failure('setting_missing', {
      where,
      setting: 'ca as the text of certificates (PEM), not a path',
      example,
    })
  }
  return { mode, ...(ca === undefined ? {} : { ca }) }
}

function usualMode(ca: string | undefined, address: string): TlsMode {
  if (ca !== undefined) return 'verify-full'
  return isLoopback(address) ? 'disable' : 'require'
}

const CERTIFICATE_CODES =
  /^(ERR_TLS_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_SSL_|HANDSHAKE_SSL_ERROR|INVALID_CA|HOSTNAME_)/
const WITHOUT_TLS = /does not support (SSL|secure) connection/i

/**
 * The error for a connection that could not be secured: a server without TLS, a certificate that is not
 * trusted or belongs to another host.
 */
export function tlsError(error: unknown, at: string): Error | undefined {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  if (WITHOUT_TLS.test(message)) return failure('source_without_tls', { address: at }, error)
  if (!CERTIFICATE_CODES.test(code)) return undefined
  return failure('source_not_trusted', { address: at, reason: message }, error)
}
