/**
 * An HTTP server of Bun or of Deno, and the path of a request as it was sent.
 */
import { isIP } from 'node:net'
import { codeOf, failure, messageOf } from './errors.ts'
import { bun, deno, required, type BunHandler, type BunRuntime, type DenoRuntime } from './runtime.ts'

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

/** Seconds a connection may be silent: long enough for the connection pools of clients. */
const idleTimeout = 60

/** No request to us has a body worth reading. */
const largestBody = 64 * 1024

/** Left alone, Bun lets the garbage of many requests grow larger than all that a daemon holds. */
const requestsToCollect = 20_000

/** Deeper paths than that are not ours. */
const deepestPath = 12

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
  const elsewhere = `--listen 127.0.0.1:${port < 1024 ? 9911 : port + 1}`
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
      // Bun says the same of a name that it cannot look up.
      return known(
        isIP(hostname) || hostname === 'localhost'
          ? 'another program listens there'
          : `another program listens there, or ${hostname} is no name of this machine`,
        `cloudtoken status, or ${elsewhere}`,
      )
    default:
      return known(messageOf(error), elsewhere)
  }
}
