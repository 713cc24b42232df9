/**
 * One listener: the guard, then the handler, then a line for the access log.
 */
import { setImmediate } from 'node:timers'
import ipaddr from 'ipaddr.js'
import { failure, messageOf } from './errors.ts'
import { createGuard, once } from './guard.ts'
import type { Guard, GuardOptions, Listen } from './guard.ts'
import type { Handler } from './metadata.ts'
import { serve } from './runtime-serve.ts'

/** What the access log knows of a request; formatted only where a line is wanted. */
export interface Access {
  readonly peer: string
  readonly method: string
  readonly url: string
  readonly status: number
  /** Milliseconds since the epoch. */
  readonly at: number
}

export interface ServeMetadataOptions {
  readonly listen: Listen
  /** The guard is made here, since it has to know the port that was taken. */
  readonly guard?: Omit<GuardOptions, 'listen'>
  readonly handler: Handler
  /** Called after each answer; batching is the caller's. */
  onAccess?(access: Access): void
  /** Told once for each different failure of a handler. */
  onFailure?(reason: string): void
}

export interface MetadataServer extends Listen {
  /** `http://169.254.169.254`, or with the port where it is not 80. */
  readonly url: string
  /** A new guard: who may ask is known only once the configuration has been read. */
  restrict(guard: Omit<GuardOptions, 'listen'>): void
  stop(): Promise<void>
}

/** Fails with `address` when it cannot listen, with `config` for a bad range or host of the guard. */
export async function serveMetadata(options: ServeMetadataOptions): Promise<MetadataServer> {
  const { handler, onAccess } = options
  const report = once(options.onFailure)
  let guard: Guard = createGuard({ ...options.guard, listen: options.listen })
  const answer = inTurn((request, peer, path, port) => {
    return guard(request, peer) ?? handler(request, path, { address: peer, port })
  })
  const server = serve({
    ...options.listen,
    fetch: onAccess ? withAccess(answer, onAccess) : answer,
    frequent,
    onError(error) {
      // On this port it is nobody's business.
      report(`a request failed: ${messageOf(error)}`)
      return new Response(null, { status: 500, headers: { 'Content-Length': '0', Connection: 'close' } })
    },
  })
  const listen = { hostname: options.listen.hostname, port: server.port }
  if (options.listen.port === 0) guard = createGuard({ ...options.guard, listen })
  return {
    ...listen,
    url: `http://${formatListen(listen)}`,
    restrict: next => void (guard = createGuard({ ...next, listen })),
    stop: server.stop,
  }
}

/** What every SDK asks for, again and again. */
const roles = '/latest/meta-data/iam/security-credentials'
const frequent = ['/latest/api/token', roles, `${roles}/`]

type Answer = (request: Request, peer: string, path: string, port: number) => Response | Promise<Response>

/** Requests of one connection that are answered before anybody else has a turn; clients wait for each answer. */
const mostAtOnce = 100

/** So many in a row from one connection are nothing to look at yet. */
const unsuspicious = 20

/**
 * What a connection has sent is answered in one go, and a megabyte of it is ten thousand requests: nobody else has an
 * answer meanwhile. Whoever sends that many is told to go, and the rest of what was sent is forgotten.
 */
function inTurn(answer: Answer): Answer {
  let last = 0
  let count = 0
  let counting = false
  const begin = (): void => {
    count = 0
    counting = false
  }
  return (request, peer, path, port) => {
    if (port !== last) count = 0
    last = port
    count += 1
    if (count < unsuspicious) return answer(request, peer, path, port)
    // Only what comes within one turn of the event loop adds up.
    if (!counting) setImmediate(begin)
    counting = true
    if (count <= mostAtOnce) return answer(request, peer, path, port)
    return new Response(null, { status: 503, headers: { 'Content-Length': '0', Connection: 'close' } })
  }
}

function withAccess(answer: Answer, onAccess: (access: Access) => void): Answer {
  return (request, peer, path, port) => {
    const done = (response: Response): Response => {
      onAccess({ peer, method: request.method, url: request.url, status: response.status, at: Date.now() })
      return response
    }
    const response = answer(request, peer, path, port)
    return response instanceof Promise ? response.then(done) : done(response)
  }
}

/** `169.254.169.254 - - [07/04/2017 11:17:06] "GET http://169.254.169.254/latest/meta-data/ HTTP/1.1" 200`, local time. */
export function formatAccess({ peer, method, url, status, at }: Access): string {
  const date = new Date(at)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = `${two(date.getDate())}/${two(date.getMonth() + 1)}/${date.getFullYear()}`
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  // A query may hold what somebody took for a parameter; quotes and control characters would forge lines.
  const [target = ''] = url.split(/[?#]/)
  const clean = target.replace(/[^!-~]|["\\]/g, '?').slice(0, 500)
  return `${peer || '-'} - - [${day} ${time}] "${method} ${clean} HTTP/1.1" ${status}`
}

/** `HOST:PORT`, IPv6 in brackets; port 0 takes a free one. Fails with `usage`. */
export function parseListen(text: string, option = '--listen'): Listen {
  const [, bracketed, plain, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/@]+)):(\d{1,5})$/.exec(text.trim()) ?? []
  const hostname = bracketed ?? plain
  const port = Number(digits)
  const isHost = bracketed === undefined ? plain !== undefined : ipaddr.IPv6.isValid(bracketed)
  if (hostname === undefined || !isHost || !(port <= 65_535)) {
    const hint = `${option} 127.0.0.1:9911`
    throw failure('usage', `${JSON.stringify(text)} is not HOST:PORT`, { hint })
  }
  return { hostname: bracketed === undefined ? hostname : ipaddr.parse(hostname).toString(), port }
}

/** The other way round; without the port where it is 80. */
export function formatListen({ hostname, port }: Listen): string {
  const host = hostname.includes(':') ? `[${hostname}]` : hostname
  return port === 80 ? host : `${host}:${port}`
}
