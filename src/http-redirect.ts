/**
 * Where a request may go, and what of it goes along.
 */
import { failure } from './errors.ts'

export interface Outgoing {
  /** Fit to be sent: absolute, without fragment and user name. */
  readonly url: string
  readonly method: 'GET' | 'POST' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly sensitive?: boolean
  readonly timeoutMs?: number
}

/** localhost and everything under it, 127.0.0.0/8, ::1; brackets of IPv6 are welcome. */
export function isLoopback(hostname: string): boolean {
  const host = hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
  if (host === 'localhost' || host.endsWith('.localhost') || host === '::1') return true
  return /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(host) || /^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(host)
}

/** Loopback and what leads there as well; link-local, where clouds keep the metadata of a machine. */
export function isInward(hostname: string): boolean {
  const inward = /^(?:0\.0\.0\.0|169\.254\.\d+\.\d+|\[(?:::|::ffff:0:0|::ffff:a9fe:[0-9a-f]+|fe[89ab][0-9a-f]:.*)\])$/
  return isLoopback(hostname) || inward.test(hostname.toLowerCase())
}

/** What says nothing of a person or a session. */
const harmlessAbroad = /^(?:accept(?:-.*)?|content-type|referer|user-agent)$/

/** 303 makes a GET of everything, 301 and 302 of a POST; 307 and 308 keep method and body. */
export function redirected(from: Outgoing, status: number, location: string): Outgoing {
  if (!URL.canParse(location, from.url))
    throw refusal(`${hostOf(from)} redirects to an address that is none`, 'redirect')
  const target = new URL(location, from.url)
  if (target.protocol !== 'https:' && target.protocol !== 'http:') {
    throw refusal(`${hostOf(from)} redirects to ${target.protocol}, which is not a web page`, 'redirect')
  }
  const source = new URL(from.url)
  if (
    source.protocol === 'https:' &&
    target.protocol === 'http:' &&
    !(isLoopback(source.hostname) && isLoopback(target.hostname))
  ) {
    throw refusal(`${hostOf(from)} redirects from https to http at ${target.host}`, 'insecure')
  }
  if (isInward(target.hostname) && !isInward(source.hostname))
    throw refusal(`${hostOf(from)} redirects to this machine, ${target.host}`, 'redirect')
  const abroad = source.origin !== target.origin
  const keepsBody = status === 307 || status === 308
  if (keepsBody && abroad && from.sensitive) {
    throw refusal(`${hostOf(from)} wants to send the password on to another host, ${target.host}`, 'redirect')
  }
  const method = keepsBody || from.method === 'HEAD' ? from.method : 'GET'
  const headers = Object.entries(from.headers ?? {}).flatMap(([name, value]) => {
    const lower = name.toLowerCase()
    if (method !== from.method && /^(?:content-|origin$)/.test(lower)) return []
    if (abroad && !harmlessAbroad.test(lower)) return []
    return [[name, abroad && lower === 'referer' ? `${source.origin}/` : value] as const]
  })
  const { body, sensitive, timeoutMs } = from
  return {
    url: webUrl(target.href),
    method,
    headers: Object.fromEntries(headers),
    ...(method === from.method && body !== undefined && { body }),
    ...(method === from.method && sensitive && { sensitive }),
    ...(timeoutMs !== undefined && { timeoutMs }),
  }
}

export function isRedirect(status: number): boolean {
  return [301, 302, 303, 307, 308].includes(status)
}

/** No fragment, no user name and password in it. */
export function webUrl(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:') {
    throw failure('network', 'the address to go to is no http or https URL', { code: 'redirect' })
  }
  url.hash = ''
  url.username = ''
  url.password = ''
  return url.href
}

/** A secret over plain http stays on this machine. */
export function checkSafe({ url, sensitive }: Outgoing): void {
  const { protocol, hostname, host } = new URL(url)
  if (!sensitive || protocol === 'https:' || isLoopback(hostname)) return
  throw refusal(`${host} wants a password or a code over http, where others can read it`, 'insecure')
}

export function refusal(message: string, code: string): Error {
  return failure('network', message, { code, hint: 'check the address; if it is right, tell whoever runs that server' })
}

export function hostOf({ url }: Outgoing): string {
  return new URL(url).host
}

/** Without query and path parameters, which hold sessions and tokens. */
export function stepOf({ method, url }: Outgoing): string {
  return `${method} ${pathOf(url)}`
}

export function pathOf(url: string): string {
  return new URL(url).pathname.replace(/;[^/]*/g, '')
}
