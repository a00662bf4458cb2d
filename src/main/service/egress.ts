/** Which addresses a tenant's job may connect to. Pure: main/ resolves names and asks here about every address that came of it. */
import { BlockList, isIP } from 'node:net'

export interface EgressPolicy {
  /** `host`, `host:port` or an address: allowed whatever it resolves to. */
  allow: string[]
}

/** Never, unless allowed by name: this machine, what hands out credentials in clouds, and what is no host. */
const DENIED: [string, number, 'ipv4' | 'ipv6', string][] = [
  ['0.0.0.0', 8, 'ipv4', 'it is no address of a host'],
  ['127.0.0.0', 8, 'ipv4', 'it is this machine'],
  ['169.254.0.0', 16, 'ipv4', 'it is link-local, where clouds hand out credentials'],
  ['100.100.100.200', 32, 'ipv4', 'it is a metadata service'],
  ['192.0.0.0', 24, 'ipv4', 'it is reserved'],
  ['224.0.0.0', 3, 'ipv4', 'it is multicast or reserved'],
  ['::', 127, 'ipv6', 'it is this machine'],
  ['fe80::', 10, 'ipv6', 'it is link-local'],
  ['fd00:ec2::', 32, 'ipv6', 'it is a metadata service'],
  ['ff00::', 8, 'ipv6', 'it is multicast'],
]

const NETS = DENIED.map(([net, bits, type, reason]) => {
  const list = new BlockList()
  list.addSubnet(net, bits, type)
  return { list, type, reason }
})

/** Why an address must not be reached; undefined when it may. */
export function deniedReason(address: string): string | undefined {
  const plain = unmapped(address)
  const family = isIP(plain)
  if (family === 0) return 'it is no address'
  return NETS.find(({ type, list }) => (type === 'ipv4') === (family === 4) && list.check(plain, type))?.reason
}

export function isAllowedByName({ allow }: EgressPolicy, host: string, port: number): boolean {
  return allow.includes(host) || allow.includes(`${host}:${port}`)
}

/** ::ffff:127.0.0.1 and its hexadecimal form are 127.0.0.1; so are the addresses that NAT64 and 6to4 wrap. */
function unmapped(address: string): string {
  const text = address.toLowerCase().replace(/%.*$/, '')
  const dotted = /^(?:::ffff:|64:ff9b::)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  if (dotted !== null) return dotted[1]
  const hex = /^(?:::ffff:(?:0:)?|64:ff9b::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text)
  if (hex !== null) return quad(hex[1], hex[2])
  const sixToFour = /^2002:([0-9a-f]{1,4}):([0-9a-f]{1,4}):/.exec(text)
  return sixToFour === null ? text : quad(sixToFour[1], sixToFour[2])
}

function quad(high: string, low: string): string {
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`
}
