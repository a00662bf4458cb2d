/**
 * Metrics of the service for Prometheus, for operators: `authorization: { credentials_file: operator.token }`
 * in its scrape settings.
 */
import type { FastifyInstance } from 'fastify'
import { principalOf, type Door } from './auth.ts'

export function addMetrics(app: FastifyInstance, door: Door): void {
  const { service } = door
  app.addHook('onResponse', async (request, reply) =>
    service.answered(request.routeOptions.url ?? 'unknown', reply.statusCode, reply.elapsedTime / 1_000),
  )
  app.get(
    '/api/v1/metrics',
    {
      schema: {
        summary: 'Get the metrics of the service (Prometheus)',
        tags: ['service'],
        security: [{ token: [] }],
        hide: true,
      },
    },
    async (request, reply) => {
      await principalOf(door, request, { needs: 'operator', summary: 'Read metrics of the service' })
      const { type, text } = await service.serviceMetrics()
      return reply.header('content-type', type).send(text)
    },
  )
}
