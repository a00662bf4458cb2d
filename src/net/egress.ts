/**
 * Decides to which addresses a tenant's job may connect. Pure: main/ resolves names and checks every
 * resulting address here.
 */
import { BlockList, isIP } from 'node:net'
import { groupsOf } from '../core/ip-address.ts'

export interface EgressPolicy {
  /** `host`, `host:port`, an address or a network (10.1.0.0/16): allowed, whatever it resolves to. */
  allow: readonly string[]
  /** Networks outside the public Internet are closed too. */
  publicOnly?: boolean
}

type Net = [string, number, 'ipv4' | 'ipv6', string]

/**
 * Denied unless explicitly allowed: this machine, services that hand out cloud credentials, and addresses
 * that are no host.
 */
const DENIED: Net[] = [
  ['0.0.0.0', 8, 'ipv4', 'it is no address of a host'],
  ['127.0.0.0', 8, 'ipv4', 'it is this machine'],
  ['169.254.0.0', 16, 'ipv4', 'it is link-local, where clouds hand out credentials'],
  ['168.63.129.16', 32, 'ipv4', 'it is where Azure hands out the settings of its machines'],
  ['100.100.100.200', 32, 'ipv4', 'it is a metadata service'],
  ['192.0.0.0', 24, 'ipv4', 'it is reserved'],
  ['224.0.0.0', 3, 'ipv4', 'it is multicast or reserved'],
  ['::', 127, 'ipv6', 'it is this machine'],
  ['fe80::', 10, 'ipv6', 'it is link-local'],
  ['fec0::', 10, 'ipv6', 'it is site-local'],
  ['fd00:ec2::', 32, 'ipv6', 'it is a metadata service'],
  ['2001::', 32, 'ipv6', 'it is a Teredo tunnel, which leads to another address'],
  ['64:ff9b:1::', 48, 'ipv6', 'it is translated to another address'],
  ['ff00::', 8, 'ipv6', 'it is multicast'],
]

const PRIVATE_REASON = 'it is in a private network'

/**
 * Databases and receivers of the operator live there. Denied for a tenant's webhook unless explicitly
 * allowed.
 */
const PRIVATE: Net[] = [
  ['10.0.0.0', 8, 'ipv4', PRIVATE_REASON],
  ['172.16.0.0', 12, 'ipv4', PRIVATE_REASON],
  ['192.168.0.0', 16, 'ipv4', PRIVATE_REASON],
  ['100.64.0.0', 10, 'ipv4', PRIVATE_REASON],
  ['198.18.0.0', 15, 'ipv4', PRIVATE_REASON],
  ['fc00::', 7, 'ipv6', PRIVATE_REASON],
]

const listsOf = (nets: Net[]): { list: BlockList; type: 'ipv4' | 'ipv6'; reason: string }[] =>
  nets.map(([net, bits, type, reason]) => {
    const list = new BlockList()
    list.addSubnet(net, bits, type)
    return { list, type, reason }
  })

const [DENIED_NETS, PRIVATE_NETS] = [listsOf(DENIED), listsOf(PRIVATE)]

export interface Surroundings {
  /** Present addresses of this machine. */
  own: string[]
  publicOnly: boolean
}

/** Why an address is denied. Undefined if it is allowed. */
export function deniedReason(
  address: string,
  { own, publicOnly }: Surroundings = { own: [], publicOnly: false },
): string | undefined {
  const plain = unmapped(address)
  const family = isIP(plain)
  if (family === 0) return 'it is no address'
  const type = family === 4 ? 'ipv4' : 'ipv6'
  if (own.length > 0 && isOneOf(plain, type, own)) return 'it is this machine'
  const nets = publicOnly ? [...DENIED_NETS, ...PRIVATE_NETS] : DENIED_NETS
  return nets.find((net) => net.type === type && net.list.check(plain, type))?.reason
}

/** Compares addresses, not texts: IPv6 has many notations. */
function isOneOf(address: string, type: 'ipv4' | 'ipv6', own: string[]): boolean {
  const list = new BlockList()
  for (const address of own.map(unmapped))
    if (isIP(address) !== 0) list.addAddress(address, isIP(address) === 4 ? 'ipv4' : 'ipv6')
  return list.check(address, type)
}

export function isAllowedByName({ allow }: EgressPolicy, host: string, port: number): boolean {
  return allow.includes(host) || allow.includes(`${host}:${port}`)
}

/** Whether an address is in an allowed network. */
export function isInAllowedNet({ allow }: EgressPolicy, address: string): boolean {
  const plain = unmapped(address)
  return allow.some((entry) => {
    const [, net, bits] = /^([0-9a-f.:]+)\/(\d{1,3})$/i.exec(entry) ?? []
    const family = net === undefined ? 0 : isIP(net)
    if (family === 0 || family !== isIP(plain) || Number(bits) > (family === 4 ? 32 : 128)) return false
    const type = family === 4 ? 'ipv4' : 'ipv6'
    const list = new BlockList()
    list.addSubnet(net, Number(bits), type)
    return list.check(plain, type)
  })
}

/**
 * The IPv4 address inside an IPv6 one, else the address itself: mapped and compatible ones (RFC 4291, 2.5.5),
 * translated ones (::ffff:0:0:0/96 of RFC 2765, 64:ff9b::/96 of RFC 6052) and those of 6to4 (RFC 3056).
 */
function unmapped(address: string): string {
  const text = address.replace(/%.*$/, '')
  if (isIP(text) !== 6) return text
  const groups = groupsOf(text)
  if (groups[0] === 0x2002) return quad(groups[1], groups[2])
  const start = groups
    .slice(0, 6)
    .map((group) => group.toString(16))
    .join(':')
  const wraps =
    /^0:0:0:0:(0:ffff|ffff:0)$/.test(start) ||
    start === '64:ff9b:0:0:0:0' ||
    (start === '0:0:0:0:0:0' && groups[6] !== 0)
  return wraps ? quad(groups[6], groups[7]) : text
}

function quad(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}
