/** The service as the CLI reaches it: the API with a profile's address, token and tenant. */
export interface Client {
  /** Sends a request and gives the body of its answer. Throws the error that the service answered. */
  call<T = Record<string, unknown>>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options?: CallOptions): Promise<T>
  /** From now on changes are dry runs. */
  rehearse(): void
  /** Id of the tenant that a command is about: named, of the profile, of the token, or the only one there is. */
  tenant(named: string | undefined): Promise<string>
  /** Stores a profile after trying it. */
  login(profile: { name: string; url: string; token: string; tenant: string | undefined }): Promise<Record<string, unknown>>
}

export interface CallOptions {
  body?: unknown
  query?: Record<string, string | number | undefined>
  /** Idempotency-Key. */
  key?: string
  /** If-Match. */
  version?: number
}
