/** The building blocks of the schema. */

export const text = (description: string, more: object = {}): object => ({
  type: 'string',
  description,
  ...more,
})
export const list = (description: string, items: object = { type: 'string' }): object => ({
  type: 'array',
  description,
  items,
})
export const object = (description: string, properties: object, required: string[] = []): object => ({
  type: 'object',
  description,
  properties,
  required,
  additionalProperties: false,
})
