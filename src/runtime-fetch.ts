/**
 * What `fetch` has to be told of proxies, authorities and certificates; Bun and Deno each have a way of their own.
 */
import { Buffer } from 'node:buffer'
import process from 'node:process'
import { deno, type DenoRuntime } from './runtime.ts'

/** How to get to a server. */
export interface Connection {
  /** Absent: straight there, whatever the environment says. */
  readonly proxy?: {
    /** Without user name and password. */
    readonly url: string
    readonly user?: { readonly name: string; readonly password: string }
  }
  /** All the authorities that are trusted, PEM; absent: those that the runtime trusts anyway. */
  readonly authorities?: readonly string[]
  /** Shown to servers that ask for one, PEM; the key is not encrypted. */
  readonly certificate?: { readonly chain: string; readonly key: string }
}

/**
 * What `fetch` has to be told to take this way. `once` is for a request that must not be sent twice: on a kept connection
 * that breaks, a runtime may send it again. Bun heeds `keepalive`; Deno wants a client that keeps none.
 */
export function fetchOptions(connection: Connection, once: boolean): RequestInit {
  return { ...(deno ? denoWay(deno, connection, once) : bunWay(connection)), ...(once && { keepalive: false }) }
}

/** Neither is part of the standard. */
interface BunWay {
  readonly proxy: false | { url: string; headers: Record<string, string>; respectNoProxy: false }
  readonly tls?: { ca?: readonly string[]; cert?: string; key?: string }
}

function bunWay({ proxy, authorities, certificate }: Connection): BunWay {
  const tls = {
    ...(authorities && { ca: authorities }),
    ...(certificate && { cert: certificate.chain, key: certificate.key }),
  }
  return {
    proxy: proxy ? { url: proxy.url, headers: proxyHeaders(proxy), respectNoProxy: false } : false,
    ...((authorities || certificate) && { tls }),
  }
}

/** RFC 7617, for CONNECT and for requests that a proxy is to make itself. */
export function proxyHeaders({ user }: NonNullable<Connection['proxy']>): Record<string, string> {
  if (!user) return {}
  const basic = Buffer.from(`${user.name}:${user.password}`).toString('base64')
  return { 'proxy-authorization': `Basic ${basic}` }
}

const clients = new WeakMap<Connection, { kept?: unknown; once?: unknown }>()

function denoWay(runtime: DenoRuntime, connection: Connection, once: boolean): { client: unknown } {
  const made = clients.get(connection) ?? {}
  clients.set(connection, made)
  const { proxy, authorities, certificate } = connection
  made[once ? 'once' : 'kept'] ??= withoutProxies(() =>
    runtime.createHttpClient({
      ...(once && { poolMaxIdlePerHost: 0 }),
      ...(proxy && {
        proxy: {
          url: proxy.url,
          ...(proxy.user && { basicAuth: { username: proxy.user.name, password: proxy.user.password } }),
        },
      }),
      ...(authorities && { caCerts: authorities }),
      ...(certificate && { cert: certificate.chain, key: certificate.key }),
    }),
  )
  return { client: made[once ? 'once' : 'kept'] }
}

/** A client of Deno looks at the environment for itself when it is made. */
function withoutProxies<T>(make: () => T): T {
  const found = Object.entries(process.env).filter(([name]) => /^(?:https?|all|no)_proxy$/i.test(name))
  for (const [name] of found) delete process.env[name]
  try {
    return make()
  } finally {
    Object.assign(process.env, Object.fromEntries(found))
  }
}
