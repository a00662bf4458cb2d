/** Shows answers of the service: in JSON the bodies of the API, in tables the columns that people look at. */
import type { Output } from './output.ts'

export interface Body extends Record<string, unknown> {}

export function showList(
  out: Output,
  body: { items: Body[] } & Body,
  columns: string[],
  empty: string,
): void {
  if (out.format === 'json') out.object(body)
  else
    out.rows(
      body.items.map((item) => pick(item, columns)),
      empty,
    )
}

export function showOne(out: Output, body: Body, columns?: string[]): void {
  out.object(out.format === 'json' || columns === undefined ? body : pick(body, columns))
}

/** `a.b` reads a nested field. Times lose their milliseconds. */
function pick(item: Body, columns: string[]): Body {
  return Object.fromEntries(
    columns.map((column) => {
      const value = column
        .split('.')
        .reduce<unknown>((at, part) => (at as Body | null | undefined)?.[part], item)
      return [
        column.split('.').at(-1) as string,
        typeof value === 'string' ? value.replace(/(T\d\d:\d\d:\d\d)\.\d+Z$/, '$1Z') : value,
      ]
    }),
  )
}
