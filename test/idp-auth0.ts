/**
 * Auth0 on loopback: the classic page with its session in base64, the script with the connections, the form that a log-in
 * answers with.
 */
import { Buffer } from 'node:buffer'
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface SimulatedAuth0 extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  /** Connections that passwords were sent for. */
  readonly connections: string[]
}

export async function startAuth0(connections: readonly string[] = ['Username-Password']): Promise<SimulatedAuth0> {
  const problems: string[] = []
  const used: string[] = []
  const sessions = new Set<string>()
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0

  const broken = (what: string): Reply => {
    problems.push(what)
    return jsonReply({ message: what }, 400)
  }

  function login({ body, headers }: Seen, origin: string): Reply {
    const { password, connection = '', username, ...rest } = JSON.parse(body) as Record<string, string>
    const wanted = {
      client_id: 'client-1',
      protocol: 'samlp',
      redirect_uri: 'https://signin.aws.amazon.com/saml',
      response_type: 'code',
      scope: 'openid profile email',
      sso: true,
      state: `state-${count}`,
      tenant: '127',
      _csrf: 'csrf-1',
      _intstate: 'deprecated',
      popup_options: {},
    }
    if (JSON.stringify(rest) !== JSON.stringify(wanted)) return broken(JSON.stringify(rest))
    if (headers.origin !== origin || headers['auth0-client'] === undefined) return broken('headers')
    if (!connections.includes(connection)) return broken('connection')
    posts += 1
    used.push(connection)
    if (mode === 'locked') {
      return jsonReply({ name: 'AnomalyDetected', code: 'too_many_attempts', description: 'Blocked.' }, 429)
    }
    if (username !== 'jane' || password !== 'correct horse') {
      const description = 'Wrong email or password.'
      return jsonReply({ name: 'ValidationError', code: 'invalid_user_password', description }, 401)
    }
    const fields = { wa: 'wsignin1.0', wresult: 'jwt-1', wctx: '{&#34;strategy&#34;:&#34;auth0&#34;}' }
    const inputs = Object.entries(fields).map(
      ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
    )
    return {
      body: `<form method="post" name="hiddenform" action="${origin}/login/callback">${inputs.join('')}
      <noscript><p>Script is disabled. Click Submit to continue.</p><input type="submit" value="Submit"></noscript></form>
      <script language="javascript" type="text/javascript">window.setTimeout('document.forms[0].submit()', 0);</script>`,
    }
  }

  function answer(seen: Seen, origin: string): Reply {
    const { method, path, headers, fields } = seen
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    const session = /\bauth0=(\w+)/.exec(headers.cookie ?? '')?.[1] ?? ''
    switch (`${method} ${path.replace(/\?.*/, '')}`) {
      case 'GET /samlp/client-1':
        return sessions.has(session) ? { body: responsePage() } : redirect('/login?client=client-1')
      case 'GET /login': {
        count += 1
        const info = { state: `state-${count}`, _csrf: 'csrf-1', clientID: 'client-1' }
        const packed = Buffer.from(JSON.stringify(info)).toString('base64')
        const script = `var config = JSON.parse(decodeURIComponent(escape(window.atob('${packed}'))));`
        return { body: page('Sign In with Auth0', `<div id="lock"></div><script>${script}</script>`) }
      }
      case 'GET /client/client-1.js': {
        const list = [
          { name: 'auth0', connections: connections.map(name => ({ name })) },
          { name: 'social', connections: [] },
        ]
        const body = `Auth0.setClient(${JSON.stringify({ id: 'client-1', strategies: list })});`
        return { headers: { 'content-type': 'application/x-javascript' }, body }
      }
      case 'POST /usernamepassword/login':
        return login(seen, origin)
      case 'POST /login/callback':
        if (fields.toString() !== 'wa=wsignin1.0&wresult=jwt-1&wctx=%7B%22strategy%22%3A%22auth0%22%7D') {
          return broken('callback')
        }
        count += 1
        sessions.add(`s${count}`)
        return { headers: { 'set-cookie': `auth0=s${count}; path=/; HttpOnly` }, body: responsePage() }
      default:
        return broken(`unexpected ${method} ${path}`)
    }
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}/samlp/client-1`,
    problems,
    connections: used,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
