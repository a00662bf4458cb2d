/** The reference page of the API, made from the OpenAPI document that the service gives. */
import { createApi } from '../src/api/server.ts'

interface Schema {
  type?: string | string[]
  format?: string
  enum?: unknown[]
  const?: unknown
  anyOf?: Schema[]
  description?: string
  properties?: Record<string, Schema>
  patternProperties?: Record<string, Schema>
  required?: string[]
  items?: Schema
}

interface Parameter {
  in: string
  name: string
  required?: boolean
  description?: string
  schema: Schema
}

interface Operation {
  summary: string
  description?: string
  tags: string[]
  parameters?: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>
}

interface Route {
  name: string
  operation: Operation
}

const INTRO = `# API

The routes of \`headrace serve\`, below \`http://HOST:8480/api/v1\`. The service gives the same as a document
(\`/api/v1/openapi.json\`, OpenAPI 3.1) and as a page (\`/api/v1/reference\`). \`/api/v1/events/stream\` sends events as they happen.

Send \`Authorization: Bearer TOKEN\`. The role is the least that may. Errors are \`application/problem+json\` with a code of the
[table of errors](errors.md) and the next step. Lists take \`limit\` and \`after\`, and give \`next\`. Routes that change something
take \`dry_run=true\`: they check everything and change nothing. [The service](../service.md) explains the rest.
`

export async function apiPage(): Promise<string> {
  const routes = await routesOf()
  const tags = [...new Set(routes.map(({ operation }) => operation.tags[0]))]
  const of = (tag: string): Route[] => routes.filter(({ operation }) => operation.tags[0] === tag)
  const sections = tags.map(
    (tag) => `## ${tag[0].toUpperCase()}${tag.slice(1)}\n\n${of(tag).map(section).join('\n')}`,
  )
  return `${INTRO}\n${sections.join('\n')}`
}

/** Nothing is asked of the service: its document needs none. */
async function routesOf(): Promise<Route[]> {
  const service = { version: '0' } as never
  const app = await createApi({ service, rehearsal: service, log: () => undefined })
  await app.ready()
  const { paths } = app.swagger() as unknown as { paths: Record<string, Record<string, Operation>> }
  await app.close()
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path.replace('/api/v1', '')}`,
      operation,
    })),
  )
}

function section({ name, operation }: Route): string {
  const { summary, description = 'Needs no token.', parameters = [], requestBody, responses } = operation
  const shown = parameters.filter((parameter) => parameter.name !== 'dry_run')
  const [status, success] = Object.entries(responses).find(([code]) => code.startsWith('2')) ?? []
  const rows = [
    ...shown.map((parameter) =>
      row(parameter.name, parameter.schema, {
        need: parameter.required ? 'yes' : '',
        note: `${parameter.in}. ${parameter.description ?? ''}`,
      }),
    ),
    ...fieldsOf(requestBody?.content['application/json']?.schema),
  ]
  const asked =
    rows.length === 0
      ? ''
      : `\n| Request | Type | Required | Meaning |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n`
  const answer = fieldsOf(success?.content?.['application/json']?.schema)
  const answered =
    answer.length === 0
      ? ''
      : `\n| Answer (${status}) | Type | Always | Meaning |\n| --- | --- | --- | --- |\n${answer.join('\n')}\n`
  return `### \`${name}\`\n\n${summary}. ${description}\n${asked}${answered}`
}

function row(name: string, schema: Schema, { need, note }: { need: string; note: string }): string {
  return `| \`${name}\` | ${typeOf(schema)} | ${need} | ${note.replaceAll('|', '\\|').trim()} |`
}

/** A schema's fields with those below them, by their paths. */
function fieldsOf(schema: Schema | undefined, path = ''): string[] {
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`)
  const inner = schema?.anyOf?.find((variant) => variant.properties !== undefined) ?? schema
  return [
    ...Object.entries(inner?.properties ?? {}),
    ...Object.entries(inner?.patternProperties ?? {}).map(([, value]) => ['NAME', value] as const),
  ].flatMap(([name, value]) => [
    row(at(name), value, {
      need: inner?.required?.includes(name) ? 'yes' : '',
      note: value.description ?? '',
    }),
    ...fieldsOf(value, at(name)),
    ...(value.items === undefined ? [] : fieldsOf(value.items, `${at(name)}[]`)),
  ])
}

function typeOf(schema: Schema): string {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeOf))].join(' or ')
  if (schema.enum !== undefined) return schema.enum.map(String).join(', ')
  if (schema.const !== undefined) return String(schema.const)
  if (schema.type === 'array')
    return `list of ${schema.items === undefined ? 'anything' : typeOf(schema.items)}`
  return (
    [schema.type ?? 'any'].flat().join(' or ') + (schema.format === undefined ? '' : ` (${schema.format})`)
  )
}
