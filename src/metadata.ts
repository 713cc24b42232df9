/**
 * The EC2 instance metadata service, versions 1 and 2: method and path to an answer, from memory alone.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
 */
import { Hono } from 'hono'
import type { MetadataSnapshot, MetadataSource, Page, Pages } from './metadata-document.ts'
import { withSimulated } from './metadata-simulated.ts'
import type { Tokens } from './metadata-token.ts'
import type { Caller } from './readers.ts'
import type { Credentials } from './types.ts'

export interface MetadataOptions {
  /** Asked at every request; must not wait for anything. */
  snapshot(): MetadataSnapshot
  readonly source: MetadataSource
  readonly tokens: Tokens
  /** Answer only requests that carry a token (IMDSv2 only). */
  readonly requireToken?: boolean
  /** Milliseconds since the epoch, wall clock. */
  now?(): number
  /** Whether this caller may have these credentials; without it everybody may. */
  readonly admit?: Admit
}

/** A refusal, or nothing. */
export type Admit = (caller: Caller, credentials: Credentials) => Promise<Response | undefined>

/** `path` as it was sent, see `ServeOptions.fetch`; the guard has had its say. */
export type Handler = (request: Request, path: string, caller?: Caller) => Response | Promise<Response>

const tokenPath = '/latest/api/token'
const tokenHeader = 'X-Aws-Ec2-Metadata-Token'
const ttlHeader = 'X-Aws-Ec2-Metadata-Token-Ttl-Seconds'
const longestTtl = 21_600

export function createMetadata(options: MetadataOptions): Handler {
  const { tokens, requireToken = false, now = Date.now } = options
  const pages = createView(options)

  function issueToken(request: Request): Response {
    const ttl = request.headers.get(ttlHeader) ?? ''
    const seconds = /^\d{1,5}$/.test(ttl) ? Number(ttl) : 0
    if (seconds < 1 || seconds > longestTtl) return errorPage(400, 'Bad Request')
    const token = tokens.issue(seconds)
    const headers = { ...plain, 'Content-Length': String(token.length), [ttlHeader]: String(seconds) }
    return new Response(token, { headers })
  }

  function read(request: Request, path: string, caller?: Caller): Response | Promise<Response> {
    const token = request.headers.get(tokenHeader)
    const remaining = token === null ? undefined : tokens.remaining(token)
    // A token makes it a request of version 2, and then the token has to be good.
    if (remaining === undefined && (token !== null || requireToken)) return errorPage(401, 'Unauthorized')
    const found = pages().get(path)
    const page = found?.end && found.end.at <= now() ? found.end.then : found
    if (page?.secret && options.admit) return admitted(request, page, remaining, caller, options.admit)
    return respond(request, page, remaining)
  }

  /** The page that was found: while the caller is looked at, another may take its place. */
  async function admitted(
    request: Request,
    page: Page,
    remaining: number | undefined,
    caller: Caller | undefined,
    admit: Admit,
  ): Promise<Response> {
    const { credentials } = options.snapshot()
    const refusal = credentials && (await admit(caller ?? { address: '', port: 0 }, credentials))
    return refusal ?? respond(request, page, remaining)
  }

  function respond(request: Request, page: Page | undefined, remaining: number | undefined): Response {
    const response = page ? new Response(page.body, page.init) : errorPage(404, 'Not Found')
    if (remaining !== undefined) response.headers.set(ttlHeader, String(remaining))
    if (request.method === 'HEAD') {
      // The runtime adds both, but not to an answer that has lost its body.
      response.headers.set('Date', new Date().toUTCString())
      if (page) response.headers.set('Content-Length', String(page.length))
    }
    return response
  }

  const app = new Hono<{ Bindings: { path: string; caller?: Caller | undefined } }>({
    getPath: (_, call) => call?.env?.path ?? '',
  })
  app.put(tokenPath, c => issueToken(c.req.raw))
  // Only the latest version hands out tokens.
  app.put('/:version/api/token', () => errorPage(403, 'Forbidden'))
  app.get(tokenPath, () => notAllowed(tokenPath))
  app.get('*', c => read(c.req.raw, c.req.path, c.env.caller))
  app.notFound(c => notAllowed(c.req.path))
  app.onError(() => errorPage(500, 'Internal Server Error'))

  return (request, path, caller) => {
    const canonical = canonicalPath(path)
    if (canonical === undefined) return errorPage(400, 'Bad Request')
    // Nearly all requests: no routing needed to know what they want.
    if (request.method === 'GET' && canonical !== tokenPath) return read(request, canonical, caller)
    return app.fetch(request, { path: canonical, caller })
  }
}

/** One slash between segments, none at the end, each segment decoded once; `undefined` for what is no path. */
export function canonicalPath(path: string): string | undefined {
  if (!path.startsWith('/')) return undefined
  // Nearly all paths: nothing to decode, at most a slash to leave away.
  if (!path.includes('%') && !path.includes('//')) return path.endsWith('/') && path !== '/' ? path.slice(0, -1) : path
  const segments = path.split('/').filter(segment => segment !== '')
  try {
    return `/${segments.map(segment => decodeURIComponent(segment).replaceAll('/', '%2F')).join('/')}`
  } catch {
    return undefined
  }
}

/** The pages of the current snapshot, made again only when it has changed. */
function createView({ snapshot, source }: MetadataOptions): () => Pages {
  let last: MetadataSnapshot | undefined
  let pages: Pages = new Map()
  return () => {
    const next = snapshot()
    if (next !== last && (last === undefined || !isSame(next, last)))
      pages = withSimulated(source(next), next.simulated, new Date())
    last = next
    return pages
  }
}

function isSame(a: MetadataSnapshot, b: MetadataSnapshot): boolean {
  const sameTrouble = a.trouble?.code === b.trouble?.code && a.trouble?.message === b.trouble?.message
  const sameRole = a.credentials === b.credentials && a.role === b.role
  return sameTrouble && sameRole && a.simulated === b.simulated
}

const plain = { 'Content-Type': 'text/plain', Server: 'EC2ws' }

/** The page that EC2 shows; scripts look for `404 - Not Found` in it. */
export function errorPage(status: number, phrase: string): Response {
  const title = `${status} - ${phrase}`
  const body = `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
   "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>${title}</title>
 </head>
 <body>
  <h1>${title}</h1>
 </body>
</html>
`
  return new Response(body, {
    status,
    headers: { 'Content-Type': 'text/html', 'Content-Length': String(body.length), Server: 'EC2ws' },
  })
}

function notAllowed(path: string): Response {
  const allow = path === tokenPath ? 'OPTIONS, PUT' : 'GET, HEAD'
  return new Response(null, {
    status: 405,
    headers: { ...plain, Allow: allow, 'Content-Length': '0', Connection: 'close' },
  })
}
