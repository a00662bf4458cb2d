/**
 * The only way out to the network: resolves a name once, checks every address, and returns the one to connect
 * to.
 */
import { lookup } from 'node:dns/promises'
import { Agent as HttpAgent, type AgentOptions } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { networkInterfaces } from 'node:os'
import type { Duplex } from 'node:stream'
import type { Resolve } from '../connectors/kafka/client.ts'
import { failure, reasonOf } from '../core/errors.ts'
import type { Settings } from '../core/settings.ts'
import { deniedReason, isAllowedByName, isInAllowedNet, type EgressPolicy } from './egress.ts'

/**
 * What the operator allows: names and addresses, with or without a port, and networks that jobs and webhooks
 * may reach although they belong to this machine, are link-local or, for webhooks, private.
 */
export const egressPolicy = ({ allow_hosts: allow }: Pick<Settings, 'allow_hosts'>): EgressPolicy => ({
  allow,
})

/**
 * The address of a host. Connect only to this address: the name may resolve to another one a moment later.
 */
export async function allowedAddress(policy: EgressPolicy, host: string, port: number): Promise<string> {
  const found = await lookup(host, { all: true }).catch((error: unknown) => {
    throw failure('source_unreachable', { address: `${host}:${port}`, reason: reasonOf(error) }, error)
  })
  if (isAllowedByName(policy, host, port)) return found[0].address
  for (const { address } of found) {
    if (isAllowedByName(policy, address, port) || isInAllowedNet(policy, address)) continue
    const reason = deniedReason(address, { own: ownAddresses(), publicOnly: policy.publicOnly === true })
    if (reason !== undefined) throw failure('address_denied', { host, address, reason })
  }
  return found[0].address
}

/** Addresses of all interfaces, read each time: they change while a service runs. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((found = []) => found.map(({ address }) => address))
}

/**
 * The resolver that connectors of a job use before each connection. Undefined outside an execution: a job
 * that you run by hand reaches whatever you reach. Processes that an execution starts inherit the mark.
 */
export function executionResolver(
  settings: Pick<Settings, 'allow_hosts' | 'execution'>,
): Resolve | undefined {
  if (settings.execution === undefined) return undefined
  return (host, port) => allowedAddress(egressPolicy(settings), host, port)
}

/**
 * Agents for HTTP clients that connect on their own: every connection is checked, to a name or an address,
 * redirected or not.
 */
export function guardedAgents(policy: EgressPolicy): { http: HttpAgent; https: HttpsAgent } {
  const options: AgentOptions = { keepAlive: true, maxSockets: 16 }
  return {
    http: guarded(new HttpAgent(options), policy, 80),
    https: guarded(new HttpsAgent(options), policy, 443),
  }
}

type Connect = (
  options: { host?: string; port?: number; servername?: string },
  done?: (error: Error | null, stream: Duplex) => void,
) => Duplex | null | undefined

function guarded<Agent extends HttpAgent>(agent: Agent, policy: EgressPolicy, defaultPort: number): Agent {
  const connect = agent.createConnection.bind(agent) as Connect
  const checked: Connect = (options, done) => {
    const host = (options.host ?? 'localhost').replace(/^\[(.*)\]$/, '$1')
    allowedAddress(policy, host, Number(options.port ?? defaultPort)).then(
      (address) => done?.(null, connect({ ...options, host: address }) as Duplex),
      (error: Error) => done?.(error, undefined as unknown as Duplex),
    )
    return undefined
  }
  return Object.assign(agent, { createConnection: checked })
}
