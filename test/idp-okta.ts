/**
 * Okta on loopback: the classic API with its states and factors, the Identity Engine with its device code, and the pages
 * around them. A request that does not fit where the sign-in stands is a problem, and answered with an error.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface OktaFactor {
  readonly id: string
  readonly factorType: string
  readonly provider?: string
  readonly vendorName?: string
  readonly profile?: Readonly<Record<string, string>>
  /** `factorResult` of each question after a push; the last one is repeated. */
  readonly results?: readonly string[]
  readonly number?: number
  /** Where a `claims_provider` leads. */
  readonly next?: (origin: string) => string
}

export interface OktaOptions {
  readonly pipeline?: 'v1' | 'idx'
  readonly factors?: readonly OktaFactor[]
  readonly allowRememberDevice?: boolean
  /** In the place of what a right password leads to. */
  readonly status?: string
  /** Body of the app's page for those who are signed in. */
  readonly app?: (origin: string) => string | undefined
  /** The session of the password is not enough for the app: a page with a state token is shown. */
  readonly stepUp?: (token: string) => string
  /** The app asks for the password again, once. */
  readonly verify?: boolean
  /** Answers to questions for the tokens before they come. */
  readonly polls?: readonly string[]
  readonly exchange?: Reply
  /** In the place of the classic API's answers. */
  readonly refuse?: Reply
}

export interface SimulatedOkta extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  /** Bodies of the verify requests, with the id of the factor and the query. */
  readonly verified: { readonly id: string; readonly query: string; readonly body: Record<string, string> }[]
  /** Fingerprints of devices. */
  readonly devices: Set<string>
}

export const okPasscode = '123456'
const token = '00a-b_c'

export const jsonReply = (body: unknown, status = 200): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const error = (status: number, errorCode: string, errorSummary: string): Reply =>
  jsonReply({ errorCode, errorSummary, errorLink: errorCode, errorCauses: [] }, status)

/** As Okta writes it, with every character that could be one of HTML's escaped. */
export const oktaForm = responsePage()
  .replace('<form ', '<form id="appForm" ')
  .replace('https://signin.aws.amazon.com/saml', 'https&#x3a;&#x2f;&#x2f;signin.aws.amazon.com&#x2f;saml')
  .replace(
    /(name="SAMLResponse" value=")([^"]*)/,
    (_, name: string, value: string) => name + value.replaceAll('+', '&#x2b;').replaceAll('=', '&#x3d;'),
  )

export async function startOkta(options: OktaOptions = {}): Promise<SimulatedOkta> {
  const app = '/home/amazon_aws/0oaAPP/272'
  const problems: string[] = []
  const verified: SimulatedOkta['verified'] = []
  const devices = new Set<string>()
  const sessions = new Map<string, 'password' | 'all'>()
  const tokens = new Set<string>()
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  let asked = 0
  let polled = 0
  let stage: 'none' | 'mfa' | 'challenge' | 'unauthenticated' = 'none'
  let level: 'password' | 'all' = 'all'
  let reverified = false

  const broken = (what: string): Reply => {
    problems.push(what)
    return error(400, 'E0000001', what)
  }
  const session = (): string => {
    count += 1
    sessions.set(`sid${count}`, level)
    return `sid=sid${count}; path=/; HttpOnly`
  }

  function success(): Reply {
    stage = 'none'
    // A step-up raises the session that there is.
    if (sessions.size > 0) {
      for (const key of sessions.keys()) sessions.set(key, 'all')
      return jsonReply({ status: 'SUCCESS', _links: {} })
    }
    level = options.stepUp ? 'password' : 'all'
    count += 1
    tokens.add(`session-token-${count}`)
    return jsonReply({ status: 'SUCCESS', sessionToken: `session-token-${count}` })
  }

  function factorsOf(origin: string): Reply {
    stage = 'mfa'
    const factors = (options.factors ?? []).map(({ id, factorType, provider, vendorName, profile }) => ({
      ...{ id, factorType, provider, vendorName, profile },
      _links: { verify: { href: `${origin}/api/v1/authn/factors/${id}/verify` } },
    }))
    const { allowRememberDevice = false } = options
    return jsonReply({
      stateToken: token,
      status: 'MFA_REQUIRED',
      _embedded: { factors, policy: { allowRememberDevice } },
    })
  }

  function authn(body: Record<string, string>, origin: string): Reply {
    if (options.refuse) return options.refuse
    if (body['stateToken'] !== undefined && stage === 'none') {
      if (body['stateToken'] !== token || Object.keys(body).length !== 1) return broken('step-up with more')
      return options.factors ? factorsOf(origin) : success()
    }
    if (Object.keys(body).join() !== 'username,password') return broken(`authn with ${Object.keys(body).join()}`)
    posts += 1
    if (mode === 'locked') return jsonReply({ status: 'LOCKED_OUT', _links: {} })
    if (body['username'] !== 'jane' || body['password'] !== 'correct horse') {
      return error(401, 'E0000004', 'Authentication failed')
    }
    if (options.status === 'PASSWORD_WARN') {
      stage = 'mfa'
      return jsonReply({
        stateToken: token,
        status: 'PASSWORD_WARN',
        _links: { skip: { href: `${origin}/api/v1/authn/skip` } },
      })
    }
    if (options.status !== undefined) return jsonReply({ stateToken: token, status: options.status, _links: {} })
    return options.factors && !options.stepUp ? factorsOf(origin) : success()
  }

  function verify(id: string, query: string, body: Record<string, string>, origin: string): Reply {
    const factor = options.factors?.find(each => each.id === id)
    if (!factor || stage === 'none' || body['stateToken'] !== token) return broken(`verify ${id} out of order`)
    verified.push({ id, query, body })
    const links = { next: { name: 'poll', href: `${origin}/api/v1/authn/factors/${id}/verify` } }
    const challenge = (more: object): Reply => {
      stage = 'challenge'
      return jsonReply({ stateToken: token, status: 'MFA_CHALLENGE', _links: links, ...more })
    }
    if (factor.factorType === 'push') {
      const result = factor.results?.[Math.min(asked, factor.results.length - 1)] ?? 'SUCCESS'
      asked += 1
      if (result === 'SUCCESS') return success()
      const number = factor.number === undefined ? {} : { _embedded: { challenge: { correctAnswer: factor.number } } }
      return challenge({ factorResult: result, _embedded: { factor: number } })
    }
    if (factor.factorType === 'claims_provider') {
      return challenge({ _links: { next: { href: factor.next?.(origin) } } })
    }
    const code = factor.factorType === 'question' ? body['answer'] : body['passCode']
    if (/^(?:sms|call|email)$/.test(factor.factorType) && stage === 'mfa') {
      return code === undefined ? challenge({}) : broken('a code before it was sent')
    }
    if (code === undefined) return broken('no code')
    return code === okPasscode ? success() : error(403, 'E0000068', 'Invalid Passcode/Answer')
  }

  function device({ fields }: Seen, path: string): Reply {
    if (fields.get('client_id') !== '0oaCLIENT') {
      return jsonReply({ error: 'invalid_client', error_description: 'No such client.' }, 401)
    }
    if (path.endsWith('/authorize')) {
      if (fields.get('scope') !== 'openid okta.apps.sso') return broken('scope')
      const verification = 'https://org.okta.example/activate'
      return jsonReply({
        device_code: 'device-code',
        user_code: 'ABCD-EFGH',
        verification_uri: verification,
        verification_uri_complete: `${verification}?user_code=ABCD-EFGH`,
        expires_in: 600,
        interval: 5,
      })
    }
    if (fields.get('grant_type')?.endsWith(':device_code')) {
      if (fields.get('device_code') !== 'device-code') return broken('device code')
      const wait = options.polls?.[polled]
      polled += 1
      if (wait !== undefined) return jsonReply({ error: wait }, 400)
      return jsonReply({ access_token: 'access-token-1', id_token: 'id-token-1', token_type: 'Bearer' })
    }
    const wanted = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      actor_token: 'access-token-1',
      actor_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      subject_token: 'id-token-1',
      subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      requested_token_type: 'urn:okta:oauth:token-type:web_sso_token',
      audience: 'urn:okta:apps:0oaAPP',
    }
    for (const [name, value] of Object.entries(wanted)) if (fields.get(name) !== value) return broken(name)
    return options.exchange ?? jsonReply({ access_token: 'web-sso-token', token_type: 'N_A' })
  }

  function appPage(origin: string, sid: string | undefined): Reply {
    const got = sessions.get(sid ?? '')
    if (got === undefined) return redirect(`/login/login.htm?fromURI=${encodeURIComponent(app)}`)
    if (options.stepUp && got === 'password') return { body: options.stepUp(token) }
    if (options.verify && !reverified) {
      return {
        body: page(
          'Please verify your password',
          `<form id="creds" action="/user/verify_password" method="post"><input type="hidden" name="_xsrfToken" value="xsrf-1">
          <label for="creds.password">Password <input type="password" id="creds.password" name="password"></label>
          <input type="button" name="m-save" value="Verify"></form>`,
        ),
      }
    }
    return { body: options.app?.(origin) ?? oktaForm }
  }

  function answer(seen: Seen, origin: string): Reply {
    const { method, path, headers, fields } = seen
    const url = new URL(path, origin)
    const at = `${method} ${url.pathname}`
    const sid = /\bsid=(\w+)/.exec(headers.cookie ?? '')?.[1]
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    if (url.pathname.startsWith('/api/v1/authn')) {
      if (headers['content-type'] !== 'application/json' || method !== 'POST') return broken('not JSON')
      const fingerprint = headers['x-device-fingerprint']
      if (typeof fingerprint !== 'string') return broken('no device')
      devices.add(fingerprint)
      const body = JSON.parse(seen.body) as Record<string, string>
      if (url.pathname === '/api/v1/authn') return authn(body, origin)
      if (url.pathname === '/api/v1/authn/skip' && body['stateToken'] === token) return success()
      const id = /^\/api\/v1\/authn\/factors\/(\w+)\/verify$/.exec(url.pathname)?.[1]
      return id === undefined ? broken(at) : verify(id, url.search, body, origin)
    }
    switch (at) {
      case `GET ${app}`:
        return appPage(origin, sid)
      case 'GET /login/login.htm':
        return {
          body: page('ORG - Sign In', '<div id="okta-sign-in"></div><script src="/js/okta-sign-in.min.js"></script>'),
        }
      case 'GET /.well-known/okta-organization':
        return jsonReply({ id: '00oORG', pipeline: options.pipeline ?? 'v1' })
      case 'GET /login/sessionCookieRedirect': {
        const query = Object.fromEntries(url.searchParams)
        if (query['checkAccountSetupComplete'] !== 'true' || query['redirectUrl'] !== `${origin}${app}`) {
          return broken('sessionCookieRedirect')
        }
        if (!tokens.delete(query['token'] ?? '')) return broken('session token used twice')
        return redirect(app, { 'set-cookie': session() })
      }
      case 'POST /user/verify_password':
        if (fields.toString() !== 'password=correct+horse&_xsrfToken=xsrf-1') {
          if (fields.toString() !== '_xsrfToken=xsrf-1&password=correct+horse') return broken('verify_password')
        }
        reverified = true
        return redirect(app)
      case 'GET /login/duo/callback':
        if (url.search !== '?code=duo-code&state=duo-state') return broken('callback')
        return { headers: { 'set-cookie': session() }, body: page('okta', '<p>Signed in to Okta</p>') }
      case 'POST /oauth2/v1/device/authorize':
      case 'POST /oauth2/v1/token':
        return options.pipeline === 'idx' ? device(seen, url.pathname) : broken('device code of the classic engine')
      case 'POST /login/token/sso':
        if (fields.toString() !== 'token=web-sso-token') return broken('token/sso')
        return { headers: { 'set-cookie': session() }, body: oktaForm }
      default:
        return broken(`unexpected ${at}`)
    }
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${app}`,
    problems,
    verified,
    devices,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
