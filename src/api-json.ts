/**
 * JSON over the client of the sign-in, for identity providers whose pages are answered by an API.
 */
import { formFailure } from './form-failure.ts'
import type { HttpRequest } from './http.ts'
import type { ProviderContext } from './provider.ts'

export interface JsonAnswer {
  readonly url: string
  readonly status: number
  readonly body: unknown
}

export interface JsonRequest extends Pick<HttpRequest, 'url' | 'headers' | 'sensitive' | 'timeoutMs'> {
  /** Sent as JSON, or as a form where it is `URLSearchParams`; a GET without one. */
  readonly body?: unknown
}

/** Whatever the status is; rejects with `idp-error` when the answer is no JSON. */
export async function askJson(
  { http }: Pick<ProviderContext, 'http'>,
  { body, headers, ...request }: JsonRequest,
): Promise<JsonAnswer> {
  const form = body instanceof URLSearchParams
  const type = form ? 'application/x-www-form-urlencoded' : 'application/json'
  const response = await http.request({
    ...request,
    headers: { accept: 'application/json', ...(body !== undefined && { 'content-type': type }), ...headers },
    ...(body !== undefined && { method: 'POST', body: form ? body.toString() : JSON.stringify(body) }),
  })
  const { url, status, text } = response
  try {
    return { url, status, body: text.trim() === '' ? {} : JSON.parse(text) }
  } catch {
    const { host, pathname } = new URL(url)
    throw formFailure('idp-error', `${host} answered with status ${status} and no JSON (${pathname})`)
  }
}

/** What lies at the path, through objects alone. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = Object.entries(found).find(([key]) => key === name)?.[1]
  }
  return found
}

/** A text or a number as text; empty where there is none. */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path)
  return typeof found === 'string' || typeof found === 'number' ? String(found) : ''
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path)
  return Array.isArray(found) ? found : []
}
