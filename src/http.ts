/**
 * Pages over the network, as a browser gets them: redirects by hand, cookies kept, tried again where that is harmless.
 */
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { isFailure } from './errors.ts'
import { createCookies } from './http-cookies.ts'
import { exchange, type HttpResponse, type OnWait } from './http-exchange.ts'
import { openNetwork, type Network } from './http-network.ts'
import { hostOf, isRedirect, redirected, refusal, stepOf, webUrl, type Outgoing } from './http-redirect.ts'
import type { Log } from './log.ts'
import type { Clock } from './types.ts'

export type { HttpResponse, OnWait } from './http-exchange.ts'
export { isInward, isLoopback, pathOf } from './http-redirect.ts'

export interface HttpRequest {
  readonly url: string
  readonly method?: 'GET' | 'POST' | 'HEAD'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** True for a body with a password or a code in it: it is not resent and not redirected to another host. */
  readonly sensitive?: boolean
  /** Limit of the exchange where a server answers only when a person has done something elsewhere. */
  readonly timeoutMs?: number
}

export interface Http {
  /**
   * Follows redirects and answers whatever the status is; rejects with a `Failure` of kind `network`, with code `dns`,
   * `refused`, `reset`, `unreachable`, `tls…`, `timeout`, `redirect`, `header`, `too-large` or `insecure`. A GET is sent again
   * after a reset connection, and after 429 or 503 when the server says when.
   */
  request(request: HttpRequest): Promise<HttpResponse>
}

/** With the cookies of one sign-in. */
export interface HttpSession extends Http {
  /** The value of the cookie that goes to `url`, as a script on that page would read it. */
  readCookie(url: string, name: string): Promise<string | undefined>
  /** As a script on the page would set it: `name=value; Path=/`. */
  writeCookie(url: string, cookie: string): Promise<void>
}

export interface HttpClient extends HttpSession {
  /** All cookies, those of the session included, as JSON to be kept private; `undefined` when there is none. */
  serializeCookies(): Promise<string | undefined>
  /** How many milliseconds the clock of the last server was ahead of ours, give or take a second. */
  skewMs(): number | undefined
}

export interface HttpOptions {
  /** What `serializeCookies` said in an earlier run; anything else counts as no cookies. */
  readonly cookies?: string | undefined
  readonly userAgent?: string | undefined
  /** Proxies, authorities, client certificate; by default what the environment says. */
  readonly network?: Network
  /** Limit of each exchange from connection to last byte, unless the network has one; 60 s by default. */
  readonly timeoutMs?: number
  /** Largest body accepted; 8 MB by default. */
  readonly maxBytes?: number
  readonly signal?: AbortSignal | undefined
  readonly clock?: Pick<Clock, 'now' | 'sleep'>
  readonly log?: Pick<Log, 'debug'>
  /** Called when an answer keeps a person waiting, with how long already, ms; what it answers is called when that is over. */
  readonly onWait?: OnWait
}

const maxRedirects = 10
const maxTries = 3
/** The longest wait that a server may ask for. */
const longestPause = 30_000

const realClock: Pick<Clock, 'now' | 'sleep'> = {
  now: Date.now,
  sleep: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
}

/** A client with a cookie jar of its own. */
export function createHttp(options: HttpOptions = {}): HttpClient {
  const { signal, clock = realClock, log } = options
  const cookies = createCookies(options.cookies)
  const network = options.network ?? openNetwork({}, process.env)
  let skew: number | undefined
  const exchangeOptions = {
    cookies,
    network,
    userAgent: options.userAgent,
    timeoutMs: network.timeoutMs ?? options.timeoutMs ?? 60_000,
    maxBytes: options.maxBytes ?? 8 * 1024 * 1024,
    signal,
    log,
    onWait: options.onWait,
    onDate: (date: number) => void (skew = date - clock.now()),
  }

  async function request(first: HttpRequest): Promise<HttpResponse> {
    let current: Outgoing = { ...first, url: webUrl(first.url), method: first.method ?? 'GET' }
    for (let redirects = 0; ; redirects += 1) {
      const response = await persist(current)
      const location = isRedirect(response.status) ? response.headers.get('location') : null
      if (location === null) return response
      if (redirects === maxRedirects)
        throw refusal(`${hostOf(current)} redirects more than ${maxRedirects} times`, 'redirect')
      current = redirected(current, response.status, location)
    }
  }

  /** Tries again where that is harmless. */
  async function persist(outgoing: Outgoing): Promise<HttpResponse> {
    const harmless = outgoing.method !== 'POST' && !outgoing.sensitive
    for (let attempt = 1; ; attempt += 1) {
      const last = !harmless || attempt === maxTries
      let pause: number | undefined
      try {
        const response = await exchange(outgoing, exchangeOptions)
        pause = last ? undefined : retryAfter(response, clock.now())
        if (pause === undefined) return response
      } catch (error) {
        if (last || !isFailure(error) || error.code !== 'reset') throw error
        pause = 250 * attempt
      }
      log?.debug(`${stepOf(outgoing)} on ${hostOf(outgoing)}: again in ${pause} ms`)
      await clock.sleep(pause, signal)
      signal?.throwIfAborted()
    }
  }

  return {
    request,
    readCookie: cookies.read,
    writeCookie: cookies.write,
    serializeCookies: cookies.serialize,
    skewMs: () => skew,
  }
}

/** RFC 9110, section 10.2.3: seconds or a date. `undefined` when the answer is to be taken as it is. */
function retryAfter(response: HttpResponse, now: number): number | undefined {
  const value = response.headers.get('retry-after')?.trim()
  if (!value || (response.status !== 429 && response.status !== 503)) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return ms <= longestPause ? Math.max(ms, 0) : undefined
}
