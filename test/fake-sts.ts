/**
 * A strict STS on loopback. It answers what was queued, once, in order; a request that nobody queued, or that does
 * not look as AWS documents it, is kept as a problem and makes `stop` fail.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface StsRequest {
  readonly parameters: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

export interface StsReply {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** `reset` closes the connection without an answer; `hang` never answers. */
export type Queued = StsReply | 'reset' | 'hang'

type Action = 'AssumeRoleWithSAML' | 'AssumeRoleWithWebIdentity' | 'AssumeRole' | 'GetCallerIdentity'

export interface FakeSts {
  readonly url: string
  readonly env: Readonly<Record<string, string>>
  /** All that came, oldest first. */
  readonly requests: readonly StsRequest[]
  queue(action: Action, ...replies: readonly Queued[]): void
  /** Fails when something unexpected came, or something expected did not. */
  stop(): Promise<void>
}

export async function startFakeSts(): Promise<FakeSts> {
  const queued: { action: string; reply: Queued }[] = []
  const requests: StsRequest[] = []
  const problems: string[] = []
  const server = createServer((request, response) => {
    take(request, response).catch((error: unknown) => problems.push(String(error)))
  })

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // No date unless the test sets one: its clock is the test's.
    response.sendDate = false
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = new TextDecoder().decode(concat(chunks))
    const parameters = Object.fromEntries(new URLSearchParams(body))
    requests.push({ parameters, headers: request.headers })
    const action = parameters['Action'] ?? ''
    const signed = request.headers.authorization !== undefined
    if (request.method !== 'POST' || request.url !== '/') problems.push(`${request.method} ${request.url}`)
    if (request.headers['content-type'] !== 'application/x-www-form-urlencoded') problems.push('content type')
    if (parameters['Version'] !== '2011-06-15') problems.push(`version ${parameters['Version']}`)
    if (signed !== ['AssumeRole', 'GetCallerIdentity'].includes(action))
      problems.push(`${action} ${signed ? 'signed' : 'not signed'}`)
    const next = queued.shift()
    if (!next || next.action !== action) {
      problems.push(`unexpected ${action}`)
      response.writeHead(400).end(stsError('UnexpectedRequest', 'nobody queued this').body)
    } else if (next.reply === 'reset') request.socket.destroy()
    else if (next.reply !== 'hang') {
      response.writeHead(next.reply.status, { 'content-type': 'text/xml', ...next.reply.headers }).end(next.reply.body)
    }
  }

  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    env: { AWS_ENDPOINT_URL_STS: url },
    requests,
    queue: (action, ...replies) => queued.push(...replies.map(reply => ({ action, reply }))),
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      const left = queued.map(({ action }) => `${action} never came`)
      if (problems.length + left.length > 0) throw new Error(`fake STS: ${[...problems, ...left].join('; ')}`)
    },
  }
}

export interface AssumedOptions {
  readonly role?: string
  readonly expiration?: string
  readonly issuer?: string
  readonly action?: Exclude<Action, 'GetCallerIdentity'>
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/'

/** A set of credentials as STS hands it out. */
export function assumed(options: AssumedOptions = {}): StsReply {
  const { role = 'Admin', expiration = '2026-03-01T11:00:00Z', issuer = 'https://idp.example.com/metadata' } = options
  const result =
    '<Credentials><AccessKeyId>ASIAFAKEFAKEFAKEFAKE</AccessKeyId><SecretAccessKey>fake/secret+key</SecretAccessKey>' +
    `<SessionToken>fake-session-token==</SessionToken><Expiration>${expiration}</Expiration></Credentials>` +
    `<AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/${role}/ada@example.com</Arn>` +
    '<AssumedRoleId>AROAFAKE:ada@example.com</AssumedRoleId></AssumedRoleUser>' +
    `<Issuer>${issuer}</Issuer><Subject>ada</Subject><SubjectType>persistent</SubjectType>`
  return success(options.action ?? 'AssumeRoleWithSAML', result)
}

export function identity(arn: string): StsReply {
  return success('GetCallerIdentity', `<Arn>${arn}</Arn><UserId>AROAFAKE:ada</UserId><Account>123456789012</Account>`)
}

export function success(action: string, result: string): StsReply {
  const body = `<${action}Response xmlns="${namespace}"><${action}Result>${result}</${action}Result></${action}Response>`
  return { status: 200, body }
}

/** An error as STS writes it; `status` as in its documentation. */
export function stsError(code: string, message: string, status = 400, headers: Record<string, string> = {}): StsReply {
  const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>`
  return {
    status,
    headers,
    body: `<ErrorResponse xmlns="${namespace}">${error}<RequestId>1</RequestId></ErrorResponse>`,
  }
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.length
  }
  return all
}
