/**
 * The only file that names Bun or Deno: serving HTTP, the way to a server, and starting this same program again.
 */
import { Buffer } from 'node:buffer'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { codeOf, failure, messageOf } from './errors.ts'

export interface ServeOptions {
  /** An IP address or a name of this machine, IPv6 without brackets. */
  readonly hostname: string
  /** 0 takes a free one. */
  readonly port: number
  /**
   * `peer` is the address of the caller as the kernel reports it, `port` its port. `path` is the path as it was sent, neither
   * decoded nor resolved, without query; empty for a target with dot segments, or that is no path at all.
   */
  fetch(request: Request, peer: string, path: string, port: number): Response | Promise<Response>
  /** Paths that are asked for most; a runtime may recognise them before anything is taken apart. */
  readonly frequent?: readonly string[]
  /** Answer to a request whose `fetch` failed. */
  onError(error: unknown): Response
}

export interface Served {
  readonly hostname: string
  readonly port: number
  /** Closes the listener and every connection. */
  stop(): Promise<void>
}

/** Listens, or fails with kind `address`. */
export function serve(options: ServeOptions): Served {
  try {
    return bun ? serveWithBun(bun, options) : serveWithDeno(required(deno), options)
  } catch (error) {
    throw addressFailure(error, options)
  }
}

/** Is this a self-contained binary? */
export function isCompiled(): boolean {
  return bun ? bun.isStandaloneExecutable === true : deno?.build?.standalone === true
}

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

/** What starts this same program again; its own arguments go after `args`. */
export function selfCommand(): { command: string; args: readonly string[] } {
  const command = process.execPath
  if (isCompiled()) return { command, args: [] }
  // A bundle is its own main file; the source has it beside this one.
  const main = import.meta.url.endsWith('.ts') ? new URL('./main.ts', import.meta.url) : import.meta.url
  return { command, args: bun ? [fileURLToPath(main)] : ['run', '-A', fileURLToPath(main)] }
}

/** The same for the very program that runs, though another version took its place or its folder is closed to us now. */
export function runningCommand(): ReturnType<typeof selfCommand> {
  const self = selfCommand()
  return isCompiled() && process.platform === 'linux' ? { ...self, command: '/proc/self/exe' } : self
}

/** Seconds a connection may be silent: long enough for the connection pools of clients. */
const idleTimeout = 60

/** No request to us has a body worth reading. */
const largestBody = 64 * 1024

/** Left alone, Bun lets the garbage of many requests grow larger than all that a daemon holds. */
const requestsToCollect = 20_000

/** Deeper paths than that are not ours. */
const deepestPath = 12

type BunHandler = (
  request: Request,
  server: { requestIP(request: Request): { address: string; port: number } | null },
) => unknown

interface BunServer {
  readonly hostname: string
  readonly port: number
  stop(closeConnections: boolean): Promise<void>
}

interface BunRuntime {
  readonly isStandaloneExecutable?: boolean
  /** Without `force` beside the work, by other threads. */
  gc(force: boolean): number
  serve(options: {
    hostname: string
    port: number
    idleTimeout: number
    maxRequestBodySize: number
    development: boolean
    reusePort: boolean
    routes: Record<string, BunHandler>
    fetch: BunHandler
    error(error: unknown): Response
  }): BunServer
}

interface DenoRuntime {
  readonly build?: { readonly standalone?: boolean }
  createHttpClient(options: {
    poolMaxIdlePerHost?: number
    proxy?: { url: string; basicAuth?: { username: string; password: string } }
    caCerts?: readonly string[]
    cert?: string
    key?: string
  }): unknown
  serve(
    options: {
      hostname: string
      port: number
      signal: AbortSignal
      onListen(): void
      onError(error: unknown): Response
    },
    handler: (
      request: Request,
      info: { remoteAddr: { hostname: string; port: number } },
    ) => Response | Promise<Response>,
  ): { readonly addr: { hostname: string; port: number }; readonly finished: Promise<void> }
}

const bun = globalOf<BunRuntime>('Bun')
const deno = globalOf<DenoRuntime>('Deno')

function globalOf<T>(name: string): T | undefined {
  return Reflect.get(globalThis, name)
}

function required<T>(runtime: T | undefined): T {
  if (runtime === undefined) throw failure('unexpected', 'cloudtoken runs on Bun or on Deno')
  return runtime
}

/**
 * Bun resolves dot segments before `request.url` is seen. Its router still counts the segments that were sent, so
 * there is a route for every depth, and a path that is shorter than its route had dots in it. What no route
 * fits (doubled slashes, great depth) arrives resolved, which is harmless where paths name no files.
 */
function serveWithBun(runtime: BunRuntime, options: ServeOptions): Served {
  let requests = 0
  const answer =
    (pathIn: (url: string) => string): BunHandler =>
    (request, server) => {
      requests += 1
      if (requests % requestsToCollect === 0) runtime.gc(false)
      const peer = server.requestIP(request)
      return options.fetch(request, peer?.address ?? '', pathIn(request.url), peer?.port ?? 0)
    }
  const routes: Record<string, BunHandler> = {}
  // The router compares with what was sent, so dots that lead here take another route.
  for (const path of options.frequent ?? []) routes[path] = answer(() => path)
  let pattern = ''
  for (let depth = 1; depth <= deepestPath; depth += 1) {
    pattern += `/:s${depth}`
    routes[pattern] = answer(url => pathOf(url, depth))
    routes[`${pattern}/`] = answer(url => pathOf(url, depth + 1))
  }
  const server = runtime.serve({
    hostname: options.hostname,
    port: options.port,
    idleTimeout,
    maxRequestBodySize: largestBody,
    // The error page of development shows source.
    development: false,
    // Without this word, `development: false` lets a second program share the port in silence (Bun 1.4.5).
    reusePort: false,
    routes,
    fetch: answer(url => pathOf(url)),
    error: options.onError,
  })
  return { hostname: server.hostname, port: server.port, stop: () => server.stop(true) }
}

function serveWithDeno(runtime: DenoRuntime, options: ServeOptions): Served {
  const controller = new AbortController()
  const server = runtime.serve(
    {
      hostname: options.hostname,
      port: options.port,
      signal: controller.signal,
      // It prints a line otherwise.
      onListen() {},
      onError: options.onError,
    },
    (request, info) => options.fetch(request, info.remoteAddr.hostname, pathOf(request.url), info.remoteAddr.port),
  )
  return {
    hostname: server.addr.hostname,
    port: server.addr.port,
    stop: () => {
      controller.abort()
      return server.finished
    },
  }
}

/**
 * The path of a request, empty where it has dot segments, or not as many slashes as were sent. One pass, since every
 * request pays for it. With a malformed Host, Bun's `request.url` is the bare target.
 */
function pathOf(url: string, sent?: number): string {
  const start = url.startsWith('http://') ? url.indexOf('/', 7) : url.startsWith('/') ? 0 : -1
  if (start === -1) return ''
  let slashes = 0
  let plain = true
  let end = start
  for (; end < url.length; end += 1) {
    const code = url.charCodeAt(end)
    if (code === 0x2f) slashes += 1
    // A dot is common in names; only after a slash may it be a segment.
    else if (code === 0x25 || code === 0x5c || (code === 0x2e && url.charCodeAt(end - 1) === 0x2f)) plain = false
    else if (code === 0x3f || code === 0x23) break
  }
  const path = url.slice(start, end)
  const honest = (sent === undefined || slashes === sent) && (plain || !dotSegment.test(path))
  return honest ? path : ''
}

const dotSegment = /(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\]|$)/i

/** https://man7.org/linux/man-pages/man2/bind.2.html; older Deno reports a missing address as EINVAL. */
function addressFailure(error: unknown, { hostname, port }: ServeOptions): Error {
  const where = `${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`
  const elsewhere = `--listen 127.0.0.1:${port < 1024 ? 8080 + (port % 10) : port + 1}`
  const code = codeOf(error)
  const known = (message: string, hint: string): Error =>
    failure('address', `cannot listen on ${where}: ${message}`, { hint, code: code ?? 'listen', cause: error })
  switch (code) {
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
      return known(
        'this machine does not have that address',
        hostname === '169.254.169.254' ? 'sudo cloudtoken link up' : elsewhere,
      )
    case 'EACCES':
    case 'EPERM':
      return known(`port ${port} needs root`, `sudo cloudtoken -d, or ${elsewhere}`)
    case 'EADDRINUSE':
      return known('another program listens there', `cloudtoken status, or ${elsewhere}`)
    default:
      return known(messageOf(error), elsewhere)
  }
}
