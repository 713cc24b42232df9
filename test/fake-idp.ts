/**
 * A strict, scripted identity provider on a loopback port: a list of expected requests, each with its reply. A request
 * that differs from the next step, one too many or one too few fails the test.
 */
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'

export interface Seen {
  readonly method: string
  /** Path with query, as sent. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  /** As sent, percent-encoding and all. */
  readonly body: string
  readonly fields: URLSearchParams
}

export interface Reply {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
}

/** `POST /login?x=1` with the exact path and query; `GET` is left out. */
export interface Step {
  readonly on: string
  /** The whole body, in order, as sent. */
  readonly body?: string | readonly (readonly [name: string, value: string])[]
  readonly reply: string | Reply | ((seen: Seen, origin: string) => string | Reply)
}

export interface FakeIdp {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string
  readonly seen: readonly Seen[]
  /** Requests that differed from the script, and steps nobody came for. */
  problems(): string[]
  stop(): Promise<void>
}

export const awsAcs = 'https://signin.aws.amazon.com/saml'

export async function startFakeIdp(script: readonly Step[], host = '127.0.0.1'): Promise<FakeIdp> {
  const steps = [...script]
  const problems: string[] = []
  const seen: Seen[] = []
  const server = await serve(host, (request, origin) => {
    seen.push(request)
    const step = steps.shift()
    const problem = differs(step, request)
    if (!step || problem) {
      problems.push(problem ?? '')
      return { status: 599, body: 'not in the script' }
    }
    const reply = typeof step.reply === 'function' ? step.reply(request, origin) : step.reply
    return typeof reply === 'string' ? { body: reply } : reply
  })
  return {
    ...server,
    seen,
    problems: () => [...problems, ...steps.map(step => `nobody came for ${step.on}`)],
  }
}

/** Runs `work` against the script and holds both sides to it. */
export async function withFakeIdp<T>(script: readonly Step[], work: (idp: FakeIdp) => Promise<T>): Promise<T> {
  const idp = await startFakeIdp(script)
  const outcome = await work(idp).then(
    value => ({ value }),
    (error: unknown) => ({ error }),
  )
  await idp.stop()
  // A difference explains whatever else went wrong.
  const problems = idp.problems()
  if (problems.length > 0) {
    const after = 'error' in outcome ? [`the sign-in ended with: ${String(outcome.error)}`] : []
    throw new Error([...problems, ...after].join('\n'))
  }
  if ('error' in outcome) throw outcome.error
  return outcome.value
}

/** A server for simulators with a state of their own. */
export async function serve(
  host: string,
  answer: (request: Seen, origin: string) => Reply,
): Promise<{ readonly origin: string; stop(): Promise<void> }> {
  let origin = ''
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString('latin1')
      const { method = '', url: path = '', headers } = request
      const {
        status = 200,
        headers: extra = {},
        body: content = '',
      } = answer({ method, path, headers, body, fields: new URLSearchParams(body) }, origin)
      response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...mutable(extra) })
      response.end(content)
    })
  })
  server.listen(0, host === 'localhost' ? '127.0.0.1' : host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  origin = `http://${host}:${address.port}`
  return {
    origin,
    async stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}

export function redirect(location: string, headers: Readonly<Record<string, string>> = {}): Reply {
  return { status: 302, headers: { location, ...headers } }
}

export function page(title: string, body: string, attributes = ''): string {
  return `<!DOCTYPE html><html><head><title>${title}</title></head><body ${attributes}>${body}</body></html>`
}

/** A SAML response in base64, unsigned; `id` tells responses apart. */
export function samlResponse(destination = awsAcs, id = '_1'): string {
  const xml = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="${id}" Version="2.0" Destination="${destination}">
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status></samlp:Response>`
  return Buffer.from(xml).toString('base64')
}

/** The page of SimpleSAMLphp and Shibboleth alike that a script sends on. */
export function responsePage(response = samlResponse(), action = awsAcs): string {
  return page(
    'Sending message',
    `<form method="post" action="${action}"><input type="submit" id="postLoginSubmitButton">
    <input type="hidden" name="SAMLResponse" value="${response}"><input type="hidden" name="RelayState" value="">
    <noscript><button type="submit">Submit</button></noscript></form>`,
    'onload="document.forms[0].submit()"',
  )
}

function differs(step: Step | undefined, { method, path, body }: Seen): string | undefined {
  const got = `${method} ${path}`
  if (!step) return `one request too many: ${got}`
  const wanted = step.on.includes(' ') ? step.on : `GET ${step.on}`
  if (got !== wanted) return `expected ${wanted}, got ${got}`
  if (step.body === undefined) return undefined
  const expected =
    typeof step.body === 'string' ? step.body : new URLSearchParams(step.body.map(([k, v]) => [k, v])).toString()
  return body === expected ? undefined : `${got}: expected body\n  ${expected}\ngot\n  ${body}`
}

function mutable(headers: Readonly<Record<string, string | readonly string[]>>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  )
}
