/**
 * The only place that fetches pages. Redirects by hand, cookies kept, time limited.
 */

export interface HttpRequest {
  readonly url: string
  readonly method?: 'GET' | 'POST' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** True for a body with a password or a code in it: it is not resent and not redirected to another host. */
  readonly sensitive?: boolean
}

export interface HttpResponse {
  /** Where the answer came from, after redirects. */
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
  /** Decoded by the charset of the header, of a meta element, or as UTF-8; without a byte order mark. */
  readonly text: string
}

export interface Http {
  request(request: HttpRequest): Promise<HttpResponse>
}
