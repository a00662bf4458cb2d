/** The reference of the API as a page: made from the OpenAPI document; it loads nothing from elsewhere. */
import type { FastifyInstance } from 'fastify'
import type { Limiter } from './bind-route.ts'

interface Operation {
  summary?: string
  description?: string
  tags?: string[]
  requestBody?: { content?: Record<string, { schema?: unknown }> }
  responses?: Record<string, { content?: Record<string, { schema?: unknown }> }>
}

export function addReference(app: FastifyInstance, limited: Limiter): void {
  // The same for everybody, and made from all routes: build it once.
  let page: string | undefined
  app.get('/api/v1/reference', { schema: { hide: true }, onRequest: limited }, (_, reply) => {
    page ??= pageOf(app)
    return reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
      .send(page)
  })
}

function pageOf(app: FastifyInstance): string {
  const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> }
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )
  const tags = [...new Set(operations.map((route) => route.operation.tags?.[0] ?? ''))]
  const body = tags
    .map(
      (tag) =>
        `<h2>${escape(tag)}</h2>${operations
          .filter((route) => route.operation.tags?.[0] === tag)
          .map(section)
          .join('')}`,
    )
    .join('')
  return `<!doctype html><html lang="en"><title>Headrace API</title><style>${STYLE}</style><h1>Headrace API</h1><p>The same as a document: <a href="/api/v1/openapi.json">openapi.json</a></p>${body}</html>`
}

const STYLE =
  'body{font:15px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}code,pre{font:13px ui-monospace,monospace}pre{background:#f4f4f4;padding:.6rem;overflow:auto}b{display:inline-block;width:4.5rem}details{margin:.3rem 0}'

function section({
  path,
  method,
  operation,
}: {
  path: string
  method: string
  operation: Operation
}): string {
  const body = operation.requestBody?.content?.['application/json']?.schema
  const answer = Object.entries(operation.responses ?? {}).find(([status]) => status.startsWith('2'))?.[1]
    .content?.['application/json']?.schema
  const shape = (title: string, schema: unknown): string =>
    schema === undefined ? '' : `<p>${title}</p><pre>${escape(JSON.stringify(schema, null, 1))}</pre>`
  return `<details><summary><b>${method.toUpperCase()}</b> <code>${escape(path)}</code> ${escape(operation.summary ?? '')}</summary><p>${escape(operation.description ?? '')}</p>${shape('Request', body)}${shape('Answer', answer)}</details>`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
