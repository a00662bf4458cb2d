/** What the API's schemas are made of: ids, times, names, pages, and the problem of every route. */
import { Type, type TSchema } from 'typebox'

export const Id = (description: string) => Type.String({ format: 'uuid', description })
export const Time = (description: string) => Type.String({ format: 'date-time', description })
export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
export const Count = (description: string, maximum = 1_000_000) =>
  Type.Integer({ minimum: 1, maximum, description })
export const NAME_PATTERN = '^[^\\u0000-\\u001f\\u007f]+$'

export const Name = (description: string) =>
  Type.String({ minLength: 1, maxLength: 255, pattern: NAME_PATTERN, description })

export const Free = Type.Object({}, { additionalProperties: true })

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String({ description: 'Stable: docs/reference/errors.md lists them all.' }),
    next: Type.String({ description: 'What to do about it.' }),
    params: Type.Optional(Free),
  },
  { $id: 'Problem', description: 'RFC 9457, with a stable code and the next step.' },
)

export const page = <T extends TSchema>(item: T) =>
  Type.Object({
    items: Type.Array(item),
    next: Type.Optional(Type.String({ description: 'Give it as `after` for the next page.' })),
  })

export const PageQuery = {
  after: Type.Optional(Type.String({ format: 'uuid', description: 'The `next` of the page before.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
}

export const NamedPageQuery = { ...PageQuery, name: Type.Optional(Name('Only the one of this name.')) }
export const TenantPath = { tenant_id: Id("The tenant; it must be the token's own.") }
