/** Who asks the service, and for which page of a list. */

export const ROLES = ['operator', 'owner', 'editor', 'viewer'] as const
export type Role = (typeof ROLES)[number]

/** Who asks. The tenant comes from here, never from a path. */
export interface Principal {
  /** For the audit: the token's name, or the subject of a JWT. */
  name: string
  role: Role
  /** Undefined for operators, who belong to no tenant. */
  tenantId: string | undefined
}

export interface Page {
  after?: string
  limit: number
}

/** A page of what has names, or the one that has this name, in whatever letters. */
export interface NamedPage extends Page {
  name?: string
}

/** Whether it is an id, as this service gives them, and no name. */
export const isId = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
