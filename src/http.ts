/**
 * The only place that fetches pages. Redirects by hand, cookies kept, time limited.
 */
import type { CookieJar } from 'tough-cookie'
import process from 'node:process'
import { failure, isFailure } from './errors.ts'
import { charsetOf, decode } from './http-charset.ts'
import { checkSafe, hostOf, isRedirect, redirected, refusal, stepOf, webUrl, type Outgoing } from './http-redirect.ts'
import { openNetwork, type Network } from './http-network.ts'
import { networkFailure, proxyRefusal } from './http-trouble.ts'
import type { Log } from './log.ts'
import { fetchOptions } from './runtime-fetch.ts'
import type { Clock } from './types.ts'

export { isLoopback, sameOrigin } from './http-redirect.ts'

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

export interface HttpResponse {
  /** Where the answer came from, after redirects; without fragment. */
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
  /** Decoded by the charset of the header, of a meta element, or as UTF-8; without a byte order mark. */
  readonly text: string
}

export interface Http {
  /**
   * Follows redirects and answers whatever the status is; rejects with a `Failure` of kind `network`, with code `dns`,
   * `refused`, `reset`, `unreachable`, `tls…`, `timeout`, `redirect`, `too-large` or `insecure`. A GET is sent again after a
   * reset connection, and after 429 or 503 when the server says when.
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
  clearCookies(): Promise<void>
  /** How many milliseconds the clock of the last server was ahead of ours, give or take a second. */
  skewMs(): number | undefined
}

export type OnWait = (host: string, waitedMs: number) => () => void

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

/**
 * Browser-like, since Ping, Entra and Duo turn others away; not on Windows and not Internet Explorer, since those get
 * Windows Integrated Authentication from ADFS; and with our name in it.
 */
const defaultAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 cloudtoken'

const maxRedirects = 10
const maxTries = 3
/** How long nobody needs to be told that an answer takes its time. */
const patienceOfPeople = 1500
/** The longest wait that a server may ask for. */
const longestPause = 30_000

const realClock: Pick<Clock, 'now' | 'sleep'> = {
  now: () => Date.now(),
  sleep(ms, signal) {
    return new Promise(resolve => {
      const timer = setTimeout(done, ms)
      function done(): void {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      signal?.addEventListener('abort', done, { once: true })
    })
  },
}

/** A client with a cookie jar of its own. */
export function createHttp(options: HttpOptions = {}): HttpClient {
  const { maxBytes = 8 * 1024 * 1024, signal, clock = realClock, log, onWait } = options
  const network = options.network ?? openNetwork({}, process.env)
  const timeoutMs = network.timeoutMs ?? options.timeoutMs ?? 60_000
  let loading: Promise<CookieJar> | undefined
  let stored = options.cookies
  let skew: number | undefined

  function cookieJar(): Promise<CookieJar> {
    loading ??= loadJar(stored)
    return loading
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
        const response = await exchange(outgoing)
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

  /** One request, one answer. */
  async function exchange(outgoing: Outgoing): Promise<HttpResponse> {
    signal?.throwIfAborted()
    checkSafe(outgoing)
    const way = network.way(outgoing.url)
    const jar = await cookieJar()
    const headers = new Headers({
      accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
      'accept-language': 'en',
      'user-agent': options.userAgent ?? defaultAgent,
    })
    for (const [name, value] of Object.entries(outgoing.headers ?? {})) headers.set(name, value)
    const cookies = [headers.get('cookie') ?? '', await jar.getCookieString(outgoing.url)].filter(Boolean).join('; ')
    if (cookies !== '') headers.set('cookie', cookies)
    const limit = new AbortController()
    const cancel = (): void => limit.abort()
    signal?.addEventListener('abort', cancel, { once: true })
    let state: 'waiting' | 'reading' = 'waiting'
    let expired = false
    const limitMs = outgoing.timeoutMs ?? timeoutMs
    const timer = setTimeout(() => {
      expired = true
      limit.abort()
    }, limitMs)
    // A request with a limit of its own waits for a person, who knows.
    const waiting = onWait && outgoing.timeoutMs === undefined && showWait(onWait, hostOf(outgoing))
    try {
      const response = await fetch(outgoing.url, {
        method: outgoing.method,
        headers,
        redirect: 'manual',
        signal: limit.signal,
        ...fetchOptions(way, outgoing.method === 'POST'),
        ...(outgoing.body !== undefined && { body: bodyOf(outgoing.body) }),
      })
      state = 'reading'
      if (response.status === 407 && way.proxy) throw proxyRefusal(way.proxy, stepOf(outgoing))
      const date = Date.parse(response.headers.get('date') ?? '')
      if (!Number.isNaN(date)) skew = date - clock.now()
      for (const cookie of response.headers.getSetCookie()) {
        await jar.setCookie(cookie, outgoing.url, { ignoreError: true, loose: true })
      }
      log?.debug(
        `${outgoing.method} ${new URL(outgoing.url).origin}${new URL(outgoing.url).pathname}: ${response.status}`,
      )
      const bytes = await readBody(response, outgoing, maxBytes)
      const text = decode(bytes, charsetOf(response.headers, bytes))
      return { url: outgoing.url, status: response.status, headers: response.headers, bytes, text }
    } catch (error) {
      signal?.throwIfAborted()
      if (isFailure(error)) throw error
      if (!expired) throw await networkFailure(error, outgoing.url, stepOf(outgoing), way)
      const missing = state === 'waiting' ? 'did not answer' : 'did not finish its answer'
      const message = `${hostOf(outgoing)} ${missing} within ${limitMs / 1000} s (${stepOf(outgoing)})`
      throw failure('network', message, { code: 'timeout', hint: timeoutHint(limitMs) })
    } finally {
      clearTimeout(timer)
      if (waiting) waiting()
      signal?.removeEventListener('abort', cancel)
    }
  }

  return {
    request,
    async readCookie(url, name) {
      return (await (await cookieJar()).getCookies(url)).find(cookie => cookie.key === name)?.value
    },
    async writeCookie(url, cookie) {
      await (await cookieJar()).setCookie(cookie, url, { ignoreError: true, loose: true })
    },
    async serializeCookies() {
      const kept = await (await cookieJar()).serialize()
      return kept.cookies.length === 0 ? undefined : JSON.stringify(kept)
    },
    async clearCookies() {
      stored = undefined
      loading = undefined
    },
    skewMs: () => skew,
  }
}

/** Tells a person what is waited for, once it is worth telling. */
function showWait(onWait: OnWait, host: string): () => void {
  let hide: (() => void) | undefined
  const timer = setTimeout(() => (hide = onWait(host, patienceOfPeople)), patienceOfPeople)
  return () => {
    clearTimeout(timer)
    hide?.()
  }
}

function timeoutHint(limitMs: number): string {
  return `check the network and the VPN; for a slow server: cloudtoken --http-timeout ${Math.ceil(limitMs / 1000) * 2}`
}

/** The cookies of the text, but none of its flags. */
async function loadJar(text: string | undefined): Promise<CookieJar> {
  const { CookieJar } = await import('tough-cookie')
  const empty = new CookieJar(undefined, { looseMode: true, allowSecureOnLocal: true, prefixSecurity: 'silent' })
  if (text === undefined) return empty
  try {
    const kept: unknown = JSON.parse(text)
    const cookies = typeof kept === 'object' && kept !== null && 'cookies' in kept ? kept.cookies : []
    return await CookieJar.deserialize({ ...empty.serializeSync(), cookies })
  } catch {
    return empty
  }
}

/** RFC 9110, section 10.2.3: seconds or a date. `undefined` when the answer is to be taken as it is. */
function retryAfter(response: HttpResponse, now: number): number | undefined {
  const value = response.headers.get('retry-after')?.trim()
  if (!value || (response.status !== 429 && response.status !== 503)) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return ms <= longestPause ? Math.max(ms, 0) : undefined
}

/** Redirect bodies say nothing; a broken one is no trouble. */
async function readBody(response: Response, outgoing: Outgoing, maxBytes: number): Promise<Uint8Array> {
  if (!response.body) return new Uint8Array()
  if (isRedirect(response.status) && response.headers.has('location')) {
    await response.body.cancel().catch(() => {})
    return new Uint8Array()
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.length
    if (size > maxBytes) {
      const message = `the answer of ${hostOf(outgoing)} is larger than ${Math.floor(maxBytes / 1024)} kB (${stepOf(outgoing)})`
      throw failure('network', message, { code: 'too-large' })
    }
    chunks.push(chunk)
  }
  const bytes = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

function bodyOf(body: string | Uint8Array): string | Uint8Array<ArrayBuffer> {
  return typeof body === 'string' ? body : new Uint8Array(body)
}
