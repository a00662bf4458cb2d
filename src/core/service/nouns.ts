/** The caller of a request, and pages of lists. */

export const ROLES = ['operator', 'owner', 'editor', 'viewer'] as const
export type Role = (typeof ROLES)[number]

/** The caller. The tenant comes from here, never from a path. */
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

/** A page of things with names, or the one with this name, in any case. */
export interface NamedPage extends Page {
  name?: string
}

/** Whether a text is an ID of this service and not a name. */
export const isId = (text: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)
