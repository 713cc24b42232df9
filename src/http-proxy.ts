/**
 * Which proxy leads to an address, by the variables that curl and the AWS tools go by.
 */
import ipaddr from 'ipaddr.js'
import { failure } from './errors.ts'
import { isLoopback } from './http-redirect.ts'
import { keepSecret } from './log.ts'
import type { Connection } from './runtime-fetch.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface Proxy extends NonNullable<Connection['proxy']> {
  /** Host and port, for messages. */
  readonly host: string
  /** The variable that named it. */
  readonly variable: string
}

/**
 * `undefined`: straight there, as to this machine and to link-local addresses in any case. The lower-case spelling of a
 * variable wins, `ALL_PROXY` comes last. Fails with `config` where a variable cannot be read.
 */
export function proxyFor(url: URL, env: Env): Proxy | undefined {
  const names = [`${url.protocol.slice(0, -1)}_proxy`, 'all_proxy'].flatMap(name => [name, name.toUpperCase()])
  const variable = names.find(name => env[name]?.trim())
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  if (variable === undefined || isLoopback(host) || isLinkLocal(host)) return undefined
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  const exceptions = (env['no_proxy']?.trim() || env['NO_PROXY']?.trim() || '').split(/[\s,]+/).filter(Boolean)
  if (exceptions.some(entry => covers(entry.toLowerCase(), host, port))) return undefined
  return readProxy(variable, env[variable]?.trim() ?? '')
}

function readProxy(variable: string, text: string): Proxy {
  const address = /^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(address) ? new URL(address) : undefined
  const hint = `${variable}=http://proxy.example.com:3128, special characters in its password written as %23`
  // What it says may hold a password, so it is not repeated.
  if (!url || url.hostname === '' || !/^(?:\/?|\/[?#].*)$/.test(url.pathname)) {
    throw failure('config', `${variable} is not the address of a proxy`, { code: 'proxy', hint })
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    const message = `${variable} names a proxy of the kind ${url.protocol.slice(0, -1)}; only http and https proxies are known here`
    throw failure('config', message, { code: 'proxy', hint })
  }
  const [name, password] = [decoded(url.username), decoded(url.password)]
  for (const secret of [url.password, password]) if (secret !== '') keepSecret(secret)
  return {
    url: url.origin,
    host: url.port === '' ? `${url.hostname}:${url.protocol === 'https:' ? 443 : 80}` : url.host,
    variable,
    ...(name !== '' && { user: { name, password } }),
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** One entry of NO_PROXY: `*`, a host and all below it, an address, a range of them; with or without a port. */
function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true
  const [, bracketed, wantedPort] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? []
  if (wantedPort !== undefined && wantedPort !== port) return false
  const wanted = (bracketed ?? entry).replace(/^\[|\]$/g, '').replace(/^\*?\./, '')
  if (!ipaddr.isValid(host)) return host === wanted || host.endsWith(`.${wanted}`)
  const address = ipaddr.process(host)
  if (ipaddr.isValidCIDR(wanted)) {
    const [range, bits] = ipaddr.parseCIDR(wanted)
    return range.kind() === address.kind() && address.match(range, bits)
  }
  return ipaddr.isValid(wanted) && ipaddr.process(wanted).toString() === address.toString()
}

/** The metadata of a cloud, which no proxy of a company can know of this machine. */
function isLinkLocal(host: string): boolean {
  return host === 'metadata.google.internal' || (ipaddr.isValid(host) && ipaddr.process(host).range() === 'linkLocal')
}
