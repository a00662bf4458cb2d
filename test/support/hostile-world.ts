/**
 * A service with a tenant that means ill, all that the service's loops log, and a listener on this machine
 * that counts who reaches it.
 */
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { startRunner } from '../../src/control/loops/runner.ts'
import { startScheduler } from '../../src/control/loops/scheduler.ts'
import type { Work } from '../../src/executions/work.ts'
import { openFolder, testService, type TestService } from './service.ts'
import { workOf } from './transfers.ts'

export interface HostileWorld {
  home: string
  service: TestService
  tenant: Awaited<ReturnType<TestService['tenant']>>
  listener: { port: number; connections: number }
  /** What scheduler and runner logged. */
  logged: string[]
  /** An execution that has secrets of every kind. */
  hostileWork(more: Partial<Work>): Work
  close(): Promise<void>
}

/** Nothing on this machine is allowed to tenants until a test allows it. */
export async function hostileWorld(): Promise<HostileWorld> {
  const home = openFolder('headrace-hostile-')
  mkdirSync(join(home, 'in'), { recursive: true })
  const listener = { port: 0, connections: 0 }
  const server = createServer((socket) => {
    listener.connections += 1
    socket.destroy()
  })
  await new Promise<void>((done) => server.listen(0, '::', done))
  listener.port = (server.address() as { port: number }).port
  delete process.env.HEADRACE_ALLOW_HOSTS
  const service = await testService()
  const tenant = await service.tenant('acme')
  const logged: string[] = []
  const log = (event: unknown): void => void logged.push(JSON.stringify(event))
  const loops = [startScheduler(service.context, log), startRunner(service.context, log)]
  return {
    home,
    service,
    tenant,
    listener,
    logged,
    hostileWork: (more) =>
      workOf(home, {
        source: { path: 'in/a.csv', format: 'csv' },
        sourceSecret: { username: 'u', password: 'p', access_key_id: 'a', secret_access_key: 's' },
        destinationSecret: { access_key_id: 'a', secret_access_key: 's', username: 'u' },
        ...more,
      }),
    async close() {
      for (const loop of loops.toReversed()) await loop.stop()
      server.close()
      await service.close()
    },
  }
}
