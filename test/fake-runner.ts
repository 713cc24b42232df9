/**
 * Systems that run jobs, as far as their tokens go: strict servers on loopback, and programs in a folder for PATH.
 */
import { Buffer } from 'node:buffer'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { listen } from '../scripts/demo-http.ts'

/** A token that nobody signed. */
export function webToken(claims: Readonly<Record<string, unknown>> = {}): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const payload = {
    iss: 'https://token.example.com',
    sub: 'repo:octo/cat:ref:refs/heads/main',
    aud: 'sts.amazonaws.com',
    iat: now,
    exp: now + 600,
    jti: String((count += 1)),
    ...claims,
  }
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part(payload)}.${Buffer.from('no signature').toString('base64url')}`
}
let count = 0

export interface FakeRunner {
  readonly origin: string
  /** What a job of that system finds in its environment. */
  readonly github: Readonly<Record<string, string>>
  readonly azure: Readonly<Record<string, string>>
  readonly google: Readonly<Record<string, string>>
  /** Tokens handed out. */
  given(): number
  /** What the next request gets instead of its answer. */
  next(status: number, body: string, headers?: Readonly<Record<string, string>>): void
  /** Fails when something came that the system would not know. */
  stop(): Promise<void>
}

const secret = 'the-request-token-of-the-job'

/** GitHub Actions, Azure Pipelines and the metadata server of Google Cloud. */
export async function startFakeRunner(): Promise<FakeRunner> {
  const problems: string[] = []
  let given = 0
  let other: { status: number; body: string; headers: Readonly<Record<string, string>> } | undefined

  function take(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://127.0.0.1')
    const expected = routes[url.pathname]
    const wrong = expected?.(request, url.searchParams) ?? `no such address: ${request.url}`
    if (typeof wrong === 'string') {
      problems.push(wrong)
      response.writeHead(404).end()
    } else if (other) {
      response.writeHead(other.status, other.headers).end(other.body)
      other = undefined
    } else {
      given += 1
      response.writeHead(200, wrong.headers).end(wrong.body)
    }
  }

  const server = await listen(createServer(take))
  return {
    origin: server.origin,
    github: {
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      ACTIONS_ID_TOKEN_REQUEST_URL: `${server.origin}/github/idtoken?api-version=2.0`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret,
    },
    azure: {
      TF_BUILD: 'True',
      SYSTEM_OIDCREQUESTURI: `${server.origin}/azure/oidctoken`,
      SYSTEM_ACCESSTOKEN: secret,
    },
    google: { GCE_METADATA_HOST: new URL(server.origin).host },
    given: () => given,
    next: (status, body, headers = {}) => void (other = { status, body, headers }),
    async stop() {
      await server.stop()
      if (problems.length > 0) throw new Error(problems.join('\n'))
    },
  }
}

interface Answer {
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
}

const json = { 'content-type': 'application/json' }

const routes: Readonly<Record<string, (request: IncomingMessage, query: URLSearchParams) => Answer | string>> = {
  '/github/idtoken'({ method, headers }, query) {
    if (method !== 'GET' || query.get('api-version') !== '2.0') return `GitHub: ${method} ${query}`
    if (headers.authorization !== `Bearer ${secret}`) return `GitHub: ${headers.authorization}`
    const aud = query.get('audience') ?? 'https://github.com/octo'
    return { body: JSON.stringify({ count: 1200, value: webToken({ aud }) }), headers: json }
  },
  '/azure/oidctoken'({ method, headers }, query) {
    if (method !== 'POST' || query.get('api-version') !== '7.1') return `Azure: ${method} ${query}`
    if (headers.authorization !== `Bearer ${secret}`) return `Azure: ${headers.authorization}`
    if (headers['content-type'] !== 'application/json') return `Azure: ${headers['content-type']}`
    const sub = `sc://org/project/${query.get('serviceConnectionId') ?? ''}`
    return { body: JSON.stringify({ oidcToken: webToken({ aud: 'api://AzureADTokenExchange', sub }) }), headers: json }
  },
  '/computeMetadata/v1/instance/service-accounts/default/identity'({ method, headers }, query) {
    if (method !== 'GET' || headers['metadata-flavor'] !== 'Google') return `Google: ${method}, no Metadata-Flavor`
    if (query.get('format') !== 'full') return `Google: ${query}`
    const token = webToken({ aud: query.get('audience'), iss: 'https://accounts.google.com' })
    return { body: token, headers: { 'metadata-flavor': 'Google' } }
  },
}

/** A program called `name` in `folder` that notes its arguments, one a line, in `folder/name.args`, and goes on with `script`. */
export function makeProgram(folder: string, name: string, script: string): void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, name)
  writeFileSync(file, `#!/bin/sh\nprintf '%s\\n' "$@" > '${file}.args'\n${script}\n`)
  chmodSync(file, 0o755)
}
