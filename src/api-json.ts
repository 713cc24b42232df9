/**
 * JSON over the client of the sign-in, for identity providers whose pages are answered by an API.
 */
import { formFailure } from './form-failure.ts'
import { onward } from './form-walk.ts'
import { pathOf, type HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import { readJson } from './json.ts'
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
  const read = text.trim() === '' ? {} : readJson(text)
  if (read !== undefined) return { url, status, body: read }
  throw formFailure('idp-error', `${new URL(url).host} answered with status ${status} and no JSON (${pathOf(url)})`)
}

/** Where a script of the page would go; fails where that is nowhere, or from https into the clear. */
export function addressOf(page: Page, address: string): string {
  if (address !== '' && URL.canParse(address, page.url))
    return onward(page, { url: new URL(address, page.url).href }).url
  throw formFailure('idp-error', `${new URL(page.url).host} leads on to an address that is none`)
}

/** What a browser says of the page whose script asks: abroad no more than where it is. */
export function headersFrom(page: Page, target: URL): Record<string, string> {
  const { origin } = new URL(page.url)
  return { origin, referer: origin === target.origin ? page.url : `${origin}/` }
}

/** A form that a script would fill in and send from the page. */
export function formOf(page: Page, action: string, fields: Readonly<Record<string, string>>): HttpRequest {
  const { origin } = new URL(page.url)
  return {
    url: addressOf(page, action),
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin, referer: page.url },
    body: new URLSearchParams(fields).toString(),
    sensitive: true,
  }
}

/** What lies at the path, through objects alone. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = Reflect.get(found, name)
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
