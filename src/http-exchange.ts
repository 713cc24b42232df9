/**
 * One request and its answer: the only place that fetches. With cookies, the way of the network, and a limit of time and size.
 */
import type { Cookies } from './http-cookies.ts'
import { failure, isFailure } from './errors.ts'
import { charsetOf, decode } from './http-charset.ts'
import type { Network } from './http-network.ts'
import { checkSafe, hostOf, isRedirect, pathOf, refusal, stepOf, type Outgoing } from './http-redirect.ts'
import { networkFailure, proxyRefusal } from './http-trouble.ts'
import type { Log } from './log.ts'
import { fetchOptions } from './runtime-fetch.ts'

export interface HttpResponse {
  /** Where the answer came from, after redirects; without fragment. */
  readonly url: string
  readonly status: number
  readonly headers: Headers
  readonly bytes: Uint8Array
  /** Decoded by the charset of the header, of a meta element, or as UTF-8; without a byte order mark. */
  readonly text: string
}

export type OnWait = (host: string, waitedMs: number) => () => void

export interface ExchangeOptions {
  readonly cookies: Cookies
  readonly network: Network
  readonly userAgent?: string | undefined
  readonly timeoutMs: number
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
  readonly log?: Pick<Log, 'debug'> | undefined
  readonly onWait?: OnWait | undefined
  /** What time it is for the server, ms. */
  onDate(date: number): void
}

/**
 * Browser-like, since Ping, Entra and Duo turn others away; not on Windows and not Internet Explorer, since those get
 * Windows Integrated Authentication from ADFS; and with our name in it.
 */
const defaultAgent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 cloudtoken'

/** How long nobody needs to be told that an answer takes its time. */
const patienceOfPeople = 1500

/** Answers whatever the status is. */
export async function exchange(outgoing: Outgoing, options: ExchangeOptions): Promise<HttpResponse> {
  const { cookies, log, onWait, signal } = options
  signal?.throwIfAborted()
  checkSafe(outgoing)
  const { url, method, body } = outgoing
  const way = options.network.way(url)
  const headers = await headersOf(outgoing, options)
  const limit = new AbortController()
  const cancel = (): void => limit.abort()
  signal?.addEventListener('abort', cancel, { once: true })
  let state: 'waiting' | 'reading' = 'waiting'
  let expired = false
  const limitMs = outgoing.timeoutMs ?? options.timeoutMs
  const timer = setTimeout(() => {
    expired = true
    limit.abort()
  }, limitMs)
  // A request with a limit of its own waits for a person, who knows.
  const waiting = onWait && outgoing.timeoutMs === undefined && showWait(onWait, hostOf(outgoing))
  try {
    const response = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: limit.signal,
      ...fetchOptions(way, method === 'POST'),
      ...(body !== undefined && { body: typeof body === 'string' ? body : new Uint8Array(body) }),
    })
    state = 'reading'
    if (response.status === 407 && way.proxy) throw proxyRefusal(way.proxy, stepOf(outgoing))
    const date = Date.parse(response.headers.get('date') ?? '')
    if (!Number.isNaN(date)) options.onDate(date)
    for (const cookie of response.headers.getSetCookie()) await cookies.write(url, cookie)
    log?.debug(`${method} ${new URL(url).origin}${pathOf(url)}: ${response.status}`)
    const bytes = await readBody(response, outgoing, options.maxBytes)
    const text = decode(bytes, charsetOf(response.headers, bytes))
    return { url, status: response.status, headers: response.headers, bytes, text }
  } catch (error) {
    signal?.throwIfAborted()
    if (isFailure(error)) throw error
    if (!expired) throw await networkFailure(error, url, stepOf(outgoing), way)
    const missing = state === 'waiting' ? 'did not answer' : 'did not finish its answer'
    const message = `${hostOf(outgoing)} ${missing} within ${limitMs / 1000} s (${stepOf(outgoing)})`
    throw failure('network', message, { code: 'timeout', hint: timeoutHint(limitMs) })
  } finally {
    clearTimeout(timer)
    if (waiting) waiting()
    signal?.removeEventListener('abort', cancel)
  }
}

async function headersOf(outgoing: Outgoing, { cookies, userAgent }: ExchangeOptions): Promise<Headers> {
  const headers = new Headers({
    accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'accept-language': 'en',
    'user-agent': userAgent ?? defaultAgent,
  })
  try {
    for (const [name, value] of Object.entries(outgoing.headers ?? {})) headers.set(name, value)
  } catch {
    // Some pages say what their scripts put there.
    throw refusal(`${hostOf(outgoing)} would get a header that no browser sends (${stepOf(outgoing)})`, 'header')
  }
  const cookie = [headers.get('cookie') ?? '', await cookies.header(outgoing.url)].filter(Boolean).join('; ')
  if (cookie !== '') headers.set('cookie', cookie)
  return headers
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
