/**
 * The two services of IAM Identity Center on loopback, as strict as they are documented: paths, methods, queries, headers and
 * bodies. What does not look like that is kept as a problem and makes `stop` fail.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface FakeSso {
  readonly url: string
  readonly startUrl: string
  readonly region: string
  /** Where programs are told to call. */
  readonly env: Readonly<Record<string, string>>
  /** `POST /token refresh_token`, `GET /assignment/roles 111111111111`, … oldest first. */
  readonly calls: string[]
  /** Sign-ins with a code are confirmed after so many questions: 0 at once; `slow_down` comes with the first. */
  readonly device: { polls: number; answer: 'confirm' | 'deny' | 'expire' }
  /** Seconds of an access token, and whether there is a refresh token with it. */
  readonly tokens: { seconds: number; refresh: boolean }
  /** The next calls of the portal are refused so often, as too many. */
  throttle(times: number): void
  /** A session that somebody else has begun, as the AWS CLI keeps it. */
  issue(): Readonly<Record<string, string>>
  /** Nobody is signed in any more; refresh tokens are no good either. */
  endSessions(): void
  /** Where the page leads a person who signs in there, or does not want to; asked itself it lets everybody in. */
  browse(authorizeUrl: string, deed?: 'allow' | 'deny'): string
  /** At most so many calls were under way together. */
  mostAtOnce(): number
  stop(): Promise<void>
}

export interface FakeAccount {
  readonly name: string
  readonly roles: readonly string[]
}

export interface FakeSsoOptions {
  readonly accounts: Readonly<Record<string, FakeAccount>>
  /** Entries of a page of accounts or roles. */
  readonly pageSize?: number
  /** Each call of the portal takes so long, ms. */
  readonly delayMs?: number
}

interface Client {
  readonly secret: string
  readonly redirectUris: readonly string[]
  readonly grants: readonly string[]
}

interface Refusal {
  readonly status: number
  readonly code: string
  readonly body: object
}

const startUrl = 'https://d-1234567890.awsapps.com/start'
const region = 'eu-west-1'

export async function startFakeSso(options: FakeSsoOptions): Promise<FakeSso> {
  const { accounts, pageSize = 2, delayMs = 0 } = options
  const calls: string[] = []
  const problems: string[] = []
  const clients = new Map<string, Client>()
  const devices = new Map<string, { clientId: string; polls: number }>()
  const codes = new Map<string, { clientId: string; challenge: string; redirectUri: string }>()
  const accessTokens = new Set<string>()
  const refreshTokens = new Map<string, string>()
  const device: FakeSso['device'] = { polls: 0, answer: 'confirm' }
  const tokens: FakeSso['tokens'] = { seconds: 3600, refresh: true }
  let throttled = 0
  let busy = 0
  let most = 0

  const server = createServer((request, response) => {
    busy += 1
    most = Math.max(most, busy)
    answer(request, response)
      .catch((error: unknown) => {
        problems.push(`${request.method} ${request.url}: ${String(error)}`)
        send(response, 500, { message: 'see the problems of the test' })
      })
      .finally(() => (busy -= 1))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = new URL(request.url ?? '', url)
    const text = await readAll(request)
    if (target.pathname === '/authorize') {
      calls.push('GET /authorize')
      return void response.writeHead(302, { location: browse(target.href) }).end()
    }
    const operation = `${request.method} ${target.pathname}`
    const found = Object.hasOwn(operations, operation) ? operations[operation] : undefined
    if (!found) throw new Error('no such operation')
    const outcome = found(target.searchParams, request, text)
    if (delayMs > 0 && target.pathname.startsWith('/assignment')) await new Promise(done => setTimeout(done, delayMs))
    if ('code' in outcome) {
      response.setHeader('x-amzn-errortype', `${outcome.code}:http://internal.amazon.com/coral/com.amazonaws/`)
      send(response, outcome.status, outcome.body)
    } else send(response, 200, outcome.body)
  }

  type Outcome = Refusal | { readonly body: object }
  const operations: Record<string, (query: URLSearchParams, request: IncomingMessage, text: string) => Outcome> = {
    'POST /client/register'(_, request, text) {
      const body = readJson(request, text)
      calls.push('POST /client/register')
      only(body, ['clientName', 'clientType', 'scopes', 'grantTypes', 'redirectUris', 'issuerUrl'])
      must(typeof body['clientName'] === 'string' && body['clientType'] === 'public', 'name and type of the client')
      if (body['issuerUrl'] !== undefined && body['issuerUrl'] !== startUrl) return invalid('unknown issuer')
      const [clientId, secret] = [randomUUID(), randomUUID()]
      const list = (name: string): string[] => (body[name] === undefined ? [] : (body[name] as string[]))
      clients.set(clientId, { secret, redirectUris: list('redirectUris'), grants: list('grantTypes') })
      const clientSecretExpiresAt = Math.floor(Date.now() / 1000) + 90 * 86_400
      return { body: { clientId, clientSecret: secret, clientIdIssuedAt: 1, clientSecretExpiresAt } }
    },
    'POST /device_authorization'(_, request, text) {
      const body = readJson(request, text)
      calls.push('POST /device_authorization')
      only(body, ['clientId', 'clientSecret', 'startUrl'])
      const clientId = clientOf(body)
      if (body['startUrl'] !== startUrl) return invalid('Invalid start url provided')
      const deviceCode = randomUUID()
      devices.set(deviceCode, { clientId, polls: 0 })
      return {
        body: {
          deviceCode,
          userCode: 'ABCD-EFGH',
          verificationUri: 'https://device.sso.eu-west-1.amazonaws.com/',
          verificationUriComplete: 'https://device.sso.eu-west-1.amazonaws.com/?user_code=ABCD-EFGH',
          expiresIn: 600,
          interval: 1,
        },
      }
    },
    'POST /token'(_, request, text) {
      const body = readJson(request, text)
      calls.push(`POST /token ${String(body['grantType']).replace(/^.*:/, '')}`)
      only(body, [
        ...['clientId', 'clientSecret', 'grantType', 'deviceCode', 'refreshToken', 'code', 'codeVerifier'],
        'redirectUri',
      ])
      const clientId = clientOf(body)
      switch (body['grantType']) {
        case 'urn:ietf:params:oauth:grant-type:device_code':
          return deviceToken(String(body['deviceCode']), clientId)
        case 'authorization_code': {
          const code = codes.get(String(body['code']))
          codes.delete(String(body['code']))
          const challenge = createHash('sha256').update(String(body['codeVerifier'])).digest('base64url')
          const same = code?.challenge === challenge && code.redirectUri === body['redirectUri']
          return same && code.clientId === clientId
            ? token(clientId)
            : refused('invalid_grant', 'InvalidGrantException')
        }
        case 'refresh_token': {
          const grant = String(body['refreshToken'])
          const known = refreshTokens.get(grant) === clientId
          refreshTokens.delete(grant)
          return known ? token(clientId) : refused('invalid_grant', 'InvalidGrantException')
        }
        default:
          throw new Error(`grantType ${String(body['grantType'])}`)
      }
    },
    'GET /assignment/accounts'(query, request) {
      calls.push('GET /assignment/accounts')
      onlyQuery(query, ['max_result', 'next_token'])
      const list = Object.entries(accounts).map(([accountId, { name }]) => ({
        accountId,
        accountName: name,
        emailAddress: `${accountId}@example.com`,
      }))
      return portal(request) ?? { body: page(list, 'accountList', query) }
    },
    'GET /assignment/roles'(query, request) {
      const accountId = query.get('account_id') ?? ''
      calls.push(`GET /assignment/roles ${accountId}`)
      onlyQuery(query, ['account_id', 'max_result', 'next_token'])
      const account = accounts[accountId]
      const list = account?.roles.map(roleName => ({ roleName, accountId }))
      const refusal = portal(request)
      if (refusal) return refusal
      return list ? { body: page(list, 'roleList', query) } : forbidden()
    },
    'GET /federation/credentials'(query, request) {
      const [accountId, roleName] = [query.get('account_id') ?? '', query.get('role_name') ?? '']
      calls.push(`GET /federation/credentials ${accountId} ${roleName}`)
      onlyQuery(query, ['account_id', 'role_name'])
      const refusal = portal(request)
      if (refusal) return refusal
      if (!accounts[accountId]?.roles.includes(roleName)) return forbidden()
      return {
        body: {
          roleCredentials: {
            accessKeyId: `ASIA${accountId}`,
            secretAccessKey: `secret-of-${roleName}-${randomUUID()}`,
            sessionToken: `session-of-${roleName}-${randomUUID()}`,
            expiration: Math.floor(Date.now() / 1000) * 1000 + 3_600_000,
          },
        },
      }
    },
    'POST /logout'(query, request) {
      calls.push('POST /logout')
      onlyQuery(query, [])
      const refusal = portal(request)
      if (refusal) return refusal
      endSessions()
      return { body: {} }
    },
  }

  function deviceToken(deviceCode: string, clientId: string): Outcome {
    const held = devices.get(deviceCode)
    must(held?.clientId === clientId, 'the device code of this client')
    if (held === undefined) throw new Error('no such device code')
    held.polls += 1
    if (held.polls <= device.polls)
      return held.polls === 1
        ? refused('slow_down', 'SlowDownException')
        : refused('authorization_pending', 'AuthorizationPendingException')
    devices.delete(deviceCode)
    if (device.answer === 'deny') return refused('access_denied', 'AccessDeniedException')
    if (device.answer === 'expire') return refused('expired_token', 'ExpiredTokenException')
    return token(clientId)
  }

  function token(clientId: string): { readonly body: object } {
    const [accessToken, refreshToken] = [`aoaAccess-${randomUUID()}`, `aorRefresh-${randomUUID()}`]
    accessTokens.add(accessToken)
    if (tokens.refresh) refreshTokens.set(refreshToken, clientId)
    const more = tokens.refresh ? { refreshToken } : {}
    return { body: { accessToken, expiresIn: tokens.seconds, tokenType: 'Bearer', ...more } }
  }

  function portal(request: IncomingMessage): Refusal | undefined {
    must(request.headers.authorization === undefined && request.headers.cookie === undefined, 'no other proof')
    const bearer = request.headers['x-amz-sso_bearer_token']
    must(typeof bearer === 'string' && bearer !== '', 'x-amz-sso_bearer_token')
    if (throttled > 0) {
      throttled -= 1
      return { status: 429, code: 'TooManyRequestsException', body: { message: 'HTTP 429 Unknown Code' } }
    }
    const known = typeof bearer === 'string' && accessTokens.has(bearer)
    const message = 'Session token not found or invalid'
    return known ? undefined : { status: 401, code: 'UnauthorizedException', body: { message } }
  }

  function page(list: readonly object[], name: string, query: URLSearchParams): object {
    const size = Number(query.get('max_result') ?? 20)
    must(size >= 1 && size <= 100, 'max_result from 1 to 100')
    const from = Number((query.get('next_token') ?? 'at-0').replace('at-', ''))
    const end = from + Math.min(size, pageSize)
    return { [name]: list.slice(from, end), nextToken: end < list.length ? `at-${end}` : null }
  }

  function clientOf(body: Record<string, unknown>): string {
    const clientId = String(body['clientId'])
    must(clients.get(clientId)?.secret === body['clientSecret'], 'client and its secret')
    return clientId
  }

  function endSessions(): void {
    accessTokens.clear()
    refreshTokens.clear()
  }

  function browse(address: string, deed: 'allow' | 'deny' = 'allow'): string {
    const target = new URL(address)
    const query = Object.fromEntries(target.searchParams)
    const names = [
      'client_id',
      'code_challenge',
      'code_challenge_method',
      'redirect_uri',
      'response_type',
      'scopes',
      'state',
    ]
    must(JSON.stringify(Object.keys(query).toSorted()) === JSON.stringify(names), `query of ${address}`)
    must(target.origin === url && target.pathname === '/authorize', 'address of the page')
    must(query['response_type'] === 'code' && query['code_challenge_method'] === 'S256', 'code with S256')
    must(query['scopes'] === 'sso:account:access', 'the scope')
    const client = clients.get(query['client_id'] ?? '')
    const redirect = new URL(query['redirect_uri'] ?? '')
    must(client?.grants.join() === 'authorization_code,refresh_token', 'grants of the client')
    // RFC 8252, section 7.3: the port may be any.
    must(client?.redirectUris.join() === `http://127.0.0.1${redirect.pathname}`, 'redirect URI of the client')
    must(redirect.hostname === '127.0.0.1' && redirect.port !== '', 'a port on loopback')
    redirect.searchParams.set('state', query['state'] ?? '')
    if (deed === 'deny') {
      redirect.searchParams.set('error', 'access_denied')
      return redirect.href
    }
    const code = randomUUID()
    const [clientId, challenge] = [query['client_id'] ?? '', query['code_challenge'] ?? '']
    codes.set(code, { clientId, challenge, redirectUri: query['redirect_uri'] ?? '' })
    redirect.searchParams.set('code', code)
    return redirect.href
  }

  return {
    url,
    startUrl,
    region,
    issue() {
      const [clientId, clientSecret] = [randomUUID(), randomUUID()]
      clients.set(clientId, { secret: clientSecret, redirectUris: [], grants: [] })
      const { body } = token(clientId)
      const { accessToken, refreshToken } = body as Record<string, string>
      const time = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString().replace(/\.\d+/, '')
      return {
        ...{
          startUrl,
          region,
          accessToken: accessToken ?? '',
          expiresAt: time(tokens.seconds),
          clientId,
          clientSecret,
        },
        registrationExpiresAt: time(90 * 86_400),
        ...(refreshToken !== undefined && { refreshToken }),
      }
    },
    env: { AWS_ENDPOINT_URL_SSO: url, AWS_ENDPOINT_URL_SSO_OIDC: url },
    calls,
    device,
    tokens,
    throttle: times => void (throttled = times),
    endSessions,
    browse,
    mostAtOnce: () => most,
    async stop() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      if (problems.length > 0)
        throw new Error(`Identity Center was asked what it does not know: ${problems.join('; ')}`)
    },
  }

  function must(holds: boolean, what: string): void {
    if (!holds) throw new Error(`expected ${what}`)
  }
  function only(body: Record<string, unknown>, names: readonly string[]): void {
    for (const name of Object.keys(body)) must(names.includes(name), `no ${name}`)
  }
  function onlyQuery(query: URLSearchParams, names: readonly string[]): void {
    for (const name of query.keys()) must(names.includes(name), `no ${name}`)
  }
  function readJson(request: IncomingMessage, text: string): Record<string, unknown> {
    must(/^application\/(?:x-amz-)?json/.test(request.headers['content-type'] ?? ''), 'a body of JSON')
    return JSON.parse(text) as Record<string, unknown>
  }
}

function refused(error: string, code: string): Refusal {
  return { status: 400, code, body: { error, error_description: `the test says ${error}` } }
}

function invalid(said: string): Refusal {
  return { status: 400, code: 'InvalidRequestException', body: { error: 'invalid_request', error_description: said } }
}

function forbidden(): Refusal {
  return { status: 403, code: 'ForbiddenException', body: { message: 'No access' } }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

async function readAll(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}
