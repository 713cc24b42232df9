/**
 * JumpCloud on loopback: the app, the console's log-in by API, its factors.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface JumpcloudOptions {
  readonly factors?: readonly { readonly type: string; readonly status: string }[]
  /** `status` of each question after a push. */
  readonly push?: readonly string[]
  readonly xsrf?: Reply
}

export interface SimulatedJumpcloud extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  /** Second factors as they came: codes, and what was done with pushes. */
  readonly factors: string[]
}

export async function startJumpcloud(options: JumpcloudOptions = {}): Promise<SimulatedJumpcloud> {
  const problems: string[] = []
  const factors: string[] = []
  const sessions = new Set<string>()
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  let asked = 0

  const broken = (what: string): Reply => {
    problems.push(what)
    return jsonReply({ message: what }, 400)
  }
  function done(origin: string): Reply {
    count += 1
    sessions.add(`s${count}`)
    const reply = jsonReply({ redirectTo: `${origin}/saml2/aws` })
    return { ...reply, headers: { ...reply.headers, 'set-cookie': `_jcsession=s${count}; path=/; HttpOnly` } }
  }

  function authenticate({ body }: Seen, origin: string): Reply {
    const sent = JSON.parse(body) as Record<string, string>
    if (sent['Context'] !== 'sso' || sent['RedirectTo'] !== 'saml2/aws') return broken('context')
    if (sent['OTP'] === '') posts += 1
    else factors.push(sent['OTP'] ?? 'no OTP')
    if (mode === 'locked') return jsonReply({ message: 'Your account has been locked.' }, 401)
    if (sent['Email'] !== 'jane' || sent['Password'] !== 'correct horse') {
      return jsonReply({ message: 'Authentication failed.' }, 401)
    }
    if (!options.factors || sent['OTP'] === '123456') return done(origin)
    if (sent['OTP'] !== '') return jsonReply({ message: 'Invalid code.' }, 401)
    return jsonReply({ message: 'MFA required.', factors: options.factors }, 401)
  }

  function push(method: string, rest: string, origin: string): Reply {
    const id = 'push-1'
    if (method === 'POST' && rest === '') {
      factors.push('push')
      return jsonReply({ id, expiresAt: '2099-01-01T00:00:00Z', status: 'pending' })
    }
    if (method === 'GET' && rest === `/${id}`) {
      const status = options.push?.[Math.min(asked, options.push.length - 1)] ?? 'accepted'
      asked += 1
      return jsonReply({ id, status })
    }
    return method === 'POST' && rest === `/${id}/login` ? done(origin) : broken(`push ${method} ${rest}`)
  }

  function answer(seen: Seen, origin: string): Reply {
    const { method, path, headers } = seen
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    const session = /_jcsession=(\w+)/.exec(headers.cookie ?? '')?.[1]
    if (`${method} ${path}` === 'GET /saml2/aws') {
      return session !== undefined && sessions.has(session)
        ? { body: responsePage() }
        : redirect('/login?context=sso&redirectTo=saml2%2Faws')
    }
    if (path.startsWith('/login?')) return { body: page('JumpCloud User Portal', '<div id="app"></div>') }
    if (path === '/userconsole/xsrf') return options.xsrf ?? jsonReply({ xsrf: 'xsrf-1' })
    if (headers['x-xsrftoken'] !== 'xsrf-1') return broken(`no token: ${path}`)
    if (method === 'POST' && path === '/userconsole/auth') return authenticate(seen, origin)
    if (path.startsWith('/userconsole/auth/push')) {
      return push(method, path.slice('/userconsole/auth/push'.length), origin)
    }
    return broken(`unexpected ${method} ${path}`)
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}/saml2/aws`,
    problems,
    factors,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
