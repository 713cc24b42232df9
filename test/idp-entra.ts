/**
 * Entra ID on loopback: the page of an app, the pages with their settings in a script, the calls those scripts make, and
 * an AD FS that an organisation signs in at. Tokens are those of the page before, or the request is a problem.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface EntraProof {
  readonly authMethodId: string
  readonly display?: string
  readonly isDefault?: boolean
}

export interface EntraOptions {
  /** How the block of settings ends; `TAIL` is its place. */
  readonly tail?: string
  readonly tokenName?: string
  readonly proofs?: readonly EntraProof[]
  readonly entropy?: number
  /** Answers to `EndAuth` in order, before the one that lets in. */
  readonly ends?: readonly object[]
  /** The password is asked for elsewhere. */
  readonly federated?: boolean
  /** What `GetCredentialType` says beside. */
  readonly credentials?: object
  /** Shown in the place of "stay signed in". */
  readonly after?: Readonly<Record<string, unknown>>
  /** In the place of the first page. */
  readonly first?: Readonly<Record<string, unknown>>
}

export interface SimulatedEntra extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  /** Paths in order. */
  readonly paths: string[]
  /** Methods that were begun, and the data of each end. */
  readonly factors: string[]
  readonly adfsOrigin: string
}

const hidden = (fields: Readonly<Record<string, string>>): string =>
  Object.entries(fields)
    .map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`)
    .join('')

const json = (body: unknown): Reply => ({
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: JSON.stringify(body),
})

export async function startEntra(options: EntraOptions = {}): Promise<SimulatedEntra> {
  const problems: string[] = []
  const paths: string[] = []
  const factors: string[] = []
  const sessions = new Set<string>()
  const name = options.tokenName ?? 'flowToken'
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  let ends = 0
  let flow = ''
  let ctx = ''

  const broken = (what: string): Reply => {
    problems.push(what)
    return { status: 400, body: page('Bad request', what) }
  }
  const fresh = (): void => {
    count += 1
    flow = `flow.${count}-};`
    ctx = `ctx.${count}&amp;x`
  }

  /** `&amp;` and braces in strings stand there as they are. */
  function shown(config: Readonly<Record<string, unknown>>): Reply {
    fresh()
    const whole = { sFT: flow, sFTName: name, sCtx: ctx, canary: 'canary=1', sessionId: 'session-1', ...config }
    const block = `//<![CDATA[\n$Config=${JSON.stringify(whole)};${options.tail ?? '\n'}//]]>`
    return {
      body: `<!DOCTYPE html><html><head><title>Sign in to your account</title><meta name="PageID" content="${String(config['pgid'])}"/>
      <noscript><meta http-equiv="Refresh" content="0; URL=/jsdisabled" /></noscript></head><body><script>${block}</script></body></html>`,
    }
  }
  const signIn = (error = '50058'): Reply =>
    shown({
      pgid: 'ConvergedSignIn',
      urlPost: '/tenant/login',
      urlGetCredentialType: '/common/GetCredentialType?mkt=en-US',
      apiCanary: 'api-canary',
      correlationId: 'correlation-1',
      hpgid: 1104,
      hpgact: 1800,
      sErrorCode: error,
      strings: 'a "quoted" {brace};',
    })
  const kmsi = (): Reply => shown({ pgid: 'KmsiInterrupt', urlPost: '/kmsi' })
  const done = (): Reply => {
    if (options.after) return shown(options.after)
    return kmsi()
  }
  const finish = (): Reply => {
    count += 1
    sessions.add(`s${count}`)
    return {
      headers: { 'set-cookie': `ESTSAUTHPERSISTENT=s${count}; path=/; HttpOnly` },
      body: working(),
    }
  }
  const working = (): string =>
    responsePage().replace('<title>Sending message', '<title>Working...').replace('<form ', '<form name="hiddenform" ')

  function credentialType({ headers, body }: Seen, adfs: string): Reply {
    const sent = JSON.parse(body) as Record<string, unknown>
    const wanted = {
      canary: 'api-canary',
      'client-request-id': 'correlation-1',
      hpgid: '1104',
      hpgact: '1800',
      hpgrequestid: 'session-1',
    }
    for (const [key, value] of Object.entries(wanted)) if (headers[key] !== value) return broken(`header ${key}`)
    if (!headers.referer?.includes('/tenant/saml2')) return broken('referer')
    if (sent['flowToken'] !== flow || sent['originalRequest'] !== ctx) return broken('tokens of GetCredentialType')
    if (sent['username'] !== 'jane@corp.example') return broken(`user ${String(sent['username'])}`)
    const elsewhere = options.federated && { FederationRedirectUrl: `${adfs}/adfs/ls/?wa=wsignin1.0&wctx=w1` }
    return json({ IfExistsResult: 0, Credentials: { HasPassword: true, ...elsewhere, ...options.credentials } })
  }

  function login({ fields }: Seen): Reply {
    const wanted: Record<string, string> = {
      login: 'jane@corp.example',
      loginfmt: 'jane@corp.example',
      ctx,
      canary: 'canary=1',
      hpgrequestid: 'session-1',
      [name]: flow,
    }
    for (const [key, value] of Object.entries(wanted)) if (fields.get(key) !== value) return broken(`login ${key}`)
    posts += 1
    if (mode === 'locked') return signIn('50053')
    if (fields.get('passwd') !== 'correct horse') return signIn('50126')
    if (!options.proofs) return done()
    return shown({
      pgid: 'ConvergedTFA',
      arrUserProofs: options.proofs,
      urlBeginAuth: '/common/SAS/BeginAuth',
      urlEndAuth: '/common/SAS/EndAuth',
      urlPost: '/common/SAS/ProcessAuth',
      oPerAuthPollingInterval: { PhoneAppNotification: 2 },
      sPOST_Username: 'jane@corp.example',
    })
  }

  function factor({ body }: Seen, method: 'BeginAuth' | 'EndAuth'): Reply {
    const sent = JSON.parse(body) as Record<string, string>
    if (sent['Method'] !== method || sent['Ctx'] !== ctx || sent['FlowToken'] !== flow) return broken(method)
    if (!options.proofs?.some(({ authMethodId }) => authMethodId === sent['AuthMethodId'])) return broken('method')
    fresh()
    const tokens = { Ctx: ctx, FlowToken: flow, SessionId: 'mfa-1' }
    if (method === 'BeginAuth') {
      factors.push(sent['AuthMethodId'] ?? '')
      return json({ Success: true, ...tokens, Entropy: options.entropy ?? 0 })
    }
    if (sent['SessionId'] !== 'mfa-1') return broken('session of the factor')
    factors.push(`${method} ${sent['AdditionalAuthData'] ?? ''}`.trim())
    const end = options.ends?.[ends]
    ends += 1
    return json({ Success: true, ...tokens, ...(end !== undefined && { Success: false }), ...end })
  }

  function answer(seen: Seen, origin: string): Reply {
    const { method, path, headers, fields } = seen
    const url = new URL(path, origin)
    const at = `${method} ${url.pathname}`
    paths.push(at)
    const session = /ESTSAUTHPERSISTENT=(\w+)/.exec(headers.cookie ?? '')?.[1]
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    switch (at) {
      case 'GET /applications/redirecttofederatedapplication.aspx': {
        const target = `${origin}/tenant/saml2?SAMLRequest=request&RelayState=`
        const form = `<form method="post" action="./redirecttofederatedapplication.aspx" id="form1">${hidden({ __VIEWSTATE: 'v', __EVENTVALIDATION: 'e' })}</form>`
        return { body: page('', `${form}<script>window.location='${target}';</script>`) }
      }
      case 'GET /tenant/saml2':
        if (session !== undefined && sessions.has(session)) return { body: working() }
        return options.first ? shown(options.first) : signIn()
      case 'POST /common/GetCredentialType':
        return credentialType(seen, adfsOrigin)
      case 'POST /tenant/login':
        return login(seen)
      case 'POST /common/SAS/BeginAuth':
        return factor(seen, 'BeginAuth')
      case 'POST /common/SAS/EndAuth':
        return factor(seen, 'EndAuth')
      case 'POST /common/SAS/ProcessAuth':
        if (fields.get('request') !== ctx || fields.get(name) !== flow) return broken('ProcessAuth')
        return fields.get('login') === 'jane@corp.example' ? done() : broken('ProcessAuth login')
      case 'POST /login.srf':
        if (fields.get('wa') !== 'wsignin1.0' || fields.get('wresult') !== '<t:x y="1"/>') return broken('login.srf')
        return fields.get('wctx') === 'w1' ? done() : broken('wctx')
      case 'GET /skip':
        return kmsi()
      case 'POST /kmsi':
        if (fields.get('ctx') !== ctx || fields.get(name) !== flow) return broken('kmsi')
        return fields.get('LoginOptions') === '1' ? finish() : broken('LoginOptions')
      default:
        return broken(`unexpected ${at}`)
    }
  }

  const server = await serve('127.0.0.1', answer)
  const adfs = await serve('localhost', ({ method, path, fields }) => {
    if (!path.startsWith('/adfs/ls/')) return broken(`AD FS ${path}`)
    if (method === 'GET') {
      return {
        body: page(
          'Sign In',
          `<form id="loginForm" method="post" action="${path.replaceAll('&', '&amp;')}"><input type="email" name="UserName">
          <input type="password" name="Password">${hidden({ AuthMethod: 'FormsAuthentication' })}</form>`,
        ),
      }
    }
    posts += 1
    if (fields.get('UserName') !== 'jane@corp.example' || fields.get('Password') !== 'correct horse') {
      return redirect(path)
    }
    const fieldsBack = { wa: 'wsignin1.0', wresult: '&lt;t:x y=&quot;1&quot;/&gt;', wctx: 'w1' }
    return {
      body: page(
        'Working...',
        `<form name="hiddenform" method="post" action="${server.origin}/login.srf">${hidden(fieldsBack)}</form>`,
        'onload="document.forms[0].submit()"',
      ),
    }
  })
  const adfsOrigin = adfs.origin
  return {
    origin: server.origin,
    url: `${server.origin}/applications/redirecttofederatedapplication.aspx?Operation=LinkedSignIn&applicationId=app-1`,
    problems,
    paths,
    factors,
    adfsOrigin,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
    async stop() {
      await Promise.all([server.stop(), adfs.stop()])
    },
  }
}
