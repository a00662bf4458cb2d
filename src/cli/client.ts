/** The service, as the CLI reaches it: the API with the address, token and tenant of a profile. */
export interface Client {
  /** Sends a request and returns the body of the answer. Throws the error that the service returned. */
  call<T = Record<string, unknown>>(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    options?: CallOptions,
  ): Promise<T>
  /** All items of a list, page by page, or the first `limit` of them. */
  list<T = Record<string, unknown>>(
    path: string,
    options?: { query?: CallOptions['query']; limit?: number },
  ): Promise<{ items: T[] } & Record<string, unknown>>
  /** From now on, changes are dry runs. */
  rehearse(): void
  /** ID of the tenant of a command: named, of the profile, of the token, or the only one that exists. */
  tenant(named: string | undefined): Promise<string>
  /** Tries a profile, and stores it. */
  login(profile: {
    name: string
    url: string
    token: string
    tenant: string | undefined
  }): Promise<Record<string, unknown>>
}

export interface CallOptions {
  body?: unknown
  query?: Record<string, string | number | undefined>
  /** Idempotency-Key. */
  key?: string
  /** If-Match. */
  version?: number
}
