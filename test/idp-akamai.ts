/**
 * Akamai EAA on loopback: the portal with its token, the API behind it, and Duo's classic frame where a test wants it.
 */
import { page, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import { startDuo, type DuoOptions } from './idp-duo.ts'
import { jsonReply } from './idp-okta.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface AkamaiOptions {
  /** What the portal offers; none: no second factor is wanted. */
  readonly factors?: readonly string[]
  /** Devices by kind; one of each where it is not said. */
  readonly devices?: Readonly<Record<string, readonly unknown[]>>
  readonly preferred?: string
  readonly mfaStatus?: string
  readonly duo?: Omit<DuoOptions, 'kind'>
  /** Answer to a request for the app without a session. */
  readonly outside?: Reply
}

export interface SimulatedAkamai extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  /** What was done with second factors. */
  readonly factors: string[]
}

const app = 'aws.apps.example'
const xsrf = 'xsrf-1'

export async function startAkamai(options: AkamaiOptions = {}): Promise<SimulatedAkamai> {
  const problems: string[] = []
  const factors: string[] = []
  /** Sessions by cookie, and whether the second factor was passed. */
  const sessions = new Map<string, boolean>()
  const duo = await startDuo({ kind: 'frame', ...options.duo })
  const duoToken = 'TX|abc|1:APP|def|2'
  const devices: AkamaiOptions['devices'] = {
    totp: [{ uuid: 'u-totp' }],
    sms: [{ uuid: 'u-sms' }],
    email: [{ uuid: 'u-email' }],
    duo: [{ duo_host: new URL(duo.origin).host, token: duoToken }],
    ...options.devices,
  }
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0

  const broken = (what: string): Reply => {
    problems.push(what)
    return jsonReply({ status: 400, msg: what })
  }
  const good = (more: object = {}): Reply => jsonReply({ status: 200, ...more })
  const refuse = (msg: string): Reply => jsonReply({ status: 401, msg })

  function login({ body }: Seen): Reply {
    const { username, password, ...rest } = JSON.parse(body) as Record<string, string>
    if (Object.keys(rest).length > 0) return broken('login')
    posts += 1
    if (mode === 'locked') return refuse('Your account is locked. Contact your administrator.')
    if (username !== 'jane' || password !== 'correct horse') return refuse('Invalid username or password.')
    count += 1
    sessions.set(`s${count}`, options.factors === undefined)
    const reply = good()
    return { ...reply, headers: { ...reply.headers, 'set-cookie': `EAA=s${count}; path=/; HttpOnly` } }
  }

  function navigate({ body }: Seen, session: string): Reply {
    if (body !== JSON.stringify({ hostname: app })) return broken('navigate')
    const passed = sessions.get(session)
    if (passed === undefined) return options.outside ?? refuse('Unauthorized')
    if (!passed) return good({ mfa: { status: options.mfaStatus ?? 'verify' } })
    return good({ navigate: { body: responsePage() } })
  }

  function factor(path: string, { body }: Seen, session: string): Reply {
    const sent = JSON.parse(body) as Record<string, unknown>
    const [, api = '', step = ''] = /^\/api\/v1\/mfa\/user\/(\w+)\/token\/(push|verify)$/.exec(path) ?? []
    const kind = api === 'phone' ? 'sms' : api
    const known = (devices?.[kind] ?? []).some(each => (each as { uuid?: string }).uuid === sent['uuid'])
    if (step === 'push') {
      if (!known || kind === 'totp' || sent['force'] !== false) return broken(`push ${body}`)
      factors.push(`${kind} sent to ${String(sent['uuid'])}`)
      return good()
    }
    if (sent['category'] !== kind) return broken(`verify ${body}`)
    factors.push(`${kind} ${String(sent['token'] ?? sent['sig_response'])}`)
    if (kind === 'duo') {
      if (sent['uuid'] !== 'duo' || sent['sig_request'] !== duoToken) return broken(`duo ${body}`)
      if (sent['sig_response'] !== 'AUTH|cookie:APP|def|2') return refuse('Verification failed.')
    } else if (!known) return broken(`verify ${body}`)
    else if (sent['token'] === '999999') return refuse('Too many attempts.')
    else if (sent['token'] !== '123456') return refuse('Incorrect code.')
    sessions.set(session, true)
    return good()
  }

  function answer(seen: Seen): Reply {
    const { method, path, headers } = seen
    if (mode === 'strange') return { body: page('Portal', '<p>Nothing to see</p>') }
    const session = /\bEAA=(\w+)/.exec(headers.cookie ?? '')?.[1] ?? ''
    if (method === 'GET' && path === `/?app=${app}`) {
      return { body: page('Login', `<input type="hidden" id="xsrf" value="${xsrf}"><div id="app"></div>`) }
    }
    if (headers['xsrf'] !== xsrf) return broken(`no token: ${path}`)
    if (method === 'POST' && path === '/api/v1/login') return login(seen)
    if (method === 'POST' && path === '/api/v2/apps/navigate') return navigate(seen, session)
    if (!sessions.has(session)) return broken(`no session: ${path}`)
    if (method === 'GET' && path === '/api/v1/config/mfa') {
      return good({ mfa: { config: { options: options.factors ?? [] } } })
    }
    if (method === 'GET' && path === '/api/v1/mfa/token/settings') {
      return good({ mfa: { settings: { ...devices, preferred: { option: options.preferred ?? '' } } } })
    }
    if (method === 'POST' && path.startsWith('/api/v1/mfa/user/')) return factor(path, seen, session)
    return broken(`unexpected ${method} ${path}`)
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}/?app=${app}`,
    problems,
    factors,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
    async stop() {
      problems.push(...duo.problems)
      await duo.stop()
      await server.stop()
    },
  }
}
