/** The parts of the API's schemas: IDs, times, names, pages, and the problem that every route can return. */
import { Type, type Static, type TSchema, type TUnsafe } from 'typebox'

export const Id = (description: string) => Type.String({ format: 'uuid', description })

/** A time in a request. */
export const TimeText = (description: string) => Type.String({ format: 'date-time', description })

/** A time in an answer. A row has a Date; a repeated answer has its text. JSON shows both alike. */
export const Time = (description: string) => Type.Unsafe<Date | string>(TimeText(description))

/** A field with a default: a request may leave it out, an answer always has it. */
export const withDefault = <T extends TSchema>(schema: T): TUnsafe<Static<T>> =>
  Type.Unsafe<Static<T>>(Type.Optional(schema))

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
export const Count = (description: string, maximum = 1_000_000) =>
  Type.Integer({ minimum: 1, maximum, description })
export const NAME_PATTERN = '^[^\\u0000-\\u001f\\u007f]+$'

export const Name = (description: string) =>
  Type.String({ minLength: 1, maxLength: 255, pattern: NAME_PATTERN, description })

/** An object whose fields depend on the kind of source, destination, event or run. */
export const Free = Type.Unsafe<Record<string, unknown>>(Type.Object({}, { additionalProperties: true }))

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String({ description: 'Stable error code. docs/reference/errors.md lists all codes.' }),
    next: Type.String({ description: 'The next step to take.' }),
    params: Type.Optional(Free),
  },
  { $id: 'Problem', description: 'Problem details (RFC 9457) with a stable code and the next step.' },
)

export const page = <T extends TSchema>(item: T) =>
  Type.Object({
    items: Type.Array(item),
    next: Type.Optional(
      Type.String({ description: 'Send it as `after` to get the next page. Absent on the last page.' }),
    ),
  })

export const PageQuery = {
  after: Type.Optional(Type.String({ format: 'uuid', description: 'Value of `next` of the previous page.' })),
  limit: withDefault(Type.Integer({ minimum: 1, maximum: 500, default: 100 })),
}

export const NamedPageQuery = { ...PageQuery, name: Type.Optional(Name('Only the item with this name.')) }
export const TenantPath = {
  tenant_id: Id('ID of the tenant. It must be the tenant of the token; an operator may give any.'),
}
