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

/**
 * The IPv4 address that an IPv6 one stands for, else the address itself: mapped and compatible ones (RFC 4291, 2.5.5), translated ones
 * (::ffff:0:0:0/96 of RFC 2765, 64:ff9b::/96 of RFC 6052, 64:ff9b:1::/48 of RFC 8215) and those of 6to4 (RFC 3056).
 */
function unmapped(address: string): string {
  const text = address.replace(/%.*$/, '')
  if (isIP(text) !== 6) return text
  const groups = groupsOf(text)
  if (groups[0] === 0x2002) return quad(groups[1], groups[2])
  const start = groups.slice(0, 6).map((group) => group.toString(16)).join(':')
  const wraps = /^0:0:0:0:(0:ffff|ffff:0)$/.test(start) || start.startsWith('64:ff9b:') || (start === '0:0:0:0:0:0' && groups[6] !== 0)
  return wraps ? quad(groups[6], groups[7]) : text
}

/** Its eight groups. URL writes each address in one way (RFC 5952), however it was written. */
function groupsOf(address: string): number[] {
  const [head, tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::').map((half) => half.split(':').filter((one) => one !== '').map((one) => Number.parseInt(one, 16)))
  return tail === undefined ? head : [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail]
}

function quad(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
