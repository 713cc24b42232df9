/**
 * authentik on loopback: the application, two flows one after the other, their stages and errors.
 */
import { awsAcs, page, redirect, samlResponse, serve, type Reply, type Seen } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface AuthentikOptions {
  /** The first stage asks for the password, too. */
  readonly together?: boolean
  readonly devices?: readonly { readonly device_class: string; readonly device_uid: string }[]
  readonly consent?: boolean
  /** In the place of what a right log-in leads to. */
  readonly denied?: string
  readonly duo?: boolean
}

export interface SimulatedAuthentik extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  /** Bodies of the second factor. */
  readonly factors: Record<string, unknown>[]
}

type StageName = 'identification' | 'password' | 'mfa' | 'redirect' | 'denied'

export async function startAuthentik(options: AuthentikOptions = {}): Promise<SimulatedAuthentik> {
  const problems: string[] = []
  const factors: Record<string, unknown>[] = []
  const sessions = new Set<string>()
  const entry = '/application/saml/aws/sso/binding/init/'
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  let at: StageName = 'identification'
  let consented = false
  let errors: Record<string, unknown> = {}

  const broken = (what: string): Reply => {
    problems.push(what)
    return jsonReply({ detail: what }, 400)
  }
  const wrong = (field: string, string: string): void => {
    errors = { response_errors: { [field]: [{ string, code: 'invalid' }] } }
  }

  function stage(): Reply {
    const shown = errors
    errors = {}
    switch (at) {
      case 'identification':
        return jsonReply({
          component: 'ak-stage-identification',
          user_fields: ['username'],
          password_fields: options.together ?? false,
          ...shown,
        })
      case 'password':
        return jsonReply({ component: 'ak-stage-password', pending_user: 'jane', ...shown })
      case 'mfa':
        return jsonReply({
          component: 'ak-stage-authenticator-validate',
          device_challenges: options.devices,
          ...shown,
        })
      case 'denied':
        return jsonReply({ component: 'ak-stage-access-denied', error_message: options.denied })
      case 'redirect':
        return jsonReply({ component: 'xak-flow-redirect', to: entry })
    }
  }

  function passed(after: 'password' | 'mfa'): void {
    if (after === 'password' && options.devices) at = 'mfa'
    else at = options.denied === undefined ? 'redirect' : 'denied'
  }

  function checkPassword(given: unknown): void {
    posts += 1
    const field = options.together ? 'non_field_errors' : 'password'
    if (mode === 'locked') wrong(field, 'This account is locked.')
    else if (given === 'correct horse') passed('password')
    else wrong(field, options.together ? 'Failed to authenticate.' : 'Invalid password')
  }

  function authentication({ method, body }: Seen, path: string): Reply {
    if (method === 'GET') return stage()
    const sent = JSON.parse(body) as Record<string, unknown>
    const { component, ...given } = sent
    const expected = { identification: 'identification', password: 'password', mfa: 'authenticator-validate' }
    if (at === 'redirect' || at === 'denied' || component !== `ak-stage-${expected[at]}`)
      return broken(String(component))
    if (at === 'identification') {
      const wanted = options.together ? 'uid_field,password' : 'uid_field'
      if (Object.keys(given).join() !== wanted || given['uid_field'] !== 'jane') return broken('identification')
      if (options.together) checkPassword(given['password'])
      else at = 'password'
    } else if (at === 'password') checkPassword(given['password'])
    else {
      factors.push(given)
      if (given['selected_challenge'] !== undefined) return stage()
      if (given['duo'] !== undefined && options.duo !== false) passed('mfa')
      else if (given['code'] === '123456') passed('mfa')
      else wrong('code', 'Invalid Token')
    }
    const after: string = at
    const cookie = after === 'redirect' ? { 'set-cookie': `authentik_session=${session()}; path=/; HttpOnly` } : {}
    return redirect(path, cookie)
  }

  function session(): string {
    count += 1
    sessions.add(`s${count}`)
    return `s${count}`
  }

  function authorization({ method, body }: Seen, path: string): Reply {
    if (options.consent && !consented) {
      if (method === 'GET') {
        return jsonReply({ component: 'ak-stage-consent', header_text: 'AWS wants your name', token: 'consent-1' })
      }
      consented = (JSON.parse(body) as Record<string, unknown>)['token'] === 'consent-1'
      return consented ? redirect(path) : broken('consent')
    }
    const attrs = { SAMLResponse: samlResponse(), RelayState: '' }
    return jsonReply({ component: 'ak-stage-autosubmit', url: awsAcs, attrs })
  }

  function answer(seen: Seen, origin: string): Reply {
    const { path, headers } = seen
    const url = new URL(path, origin)
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    const cookie = /authentik_session=(\w+)/.exec(headers.cookie ?? '')?.[1]
    const known = cookie !== undefined && sessions.has(cookie)
    const next = encodeURIComponent(entry)
    if (path === entry) {
      if (known) return redirect('/if/flow/authorize/?a=1')
      at = 'identification'
      return redirect(`/if/flow/login/?next=${next}`)
    }
    if (url.pathname.startsWith('/if/flow/'))
      return { body: page('authentik', '<ak-flow-executor></ak-flow-executor>') }
    if (!headers.referer?.includes('/if/flow/')) return broken('no referer')
    if (url.pathname === '/api/v3/flows/executor/login/') {
      return url.searchParams.get('query') === `next=${next}` ? authentication(seen, path) : broken('query')
    }
    if (url.pathname === '/api/v3/flows/executor/authorize/' && known) {
      return url.searchParams.get('query') === 'a=1' ? authorization(seen, path) : broken('query')
    }
    return broken(`unexpected ${path}`)
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${entry}`,
    problems,
    factors,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
