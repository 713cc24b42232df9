/**
 * Keycloak on loopback, as far as its pages go. Every form has an address that works once; the second time there is a page
 * that says so, with links.
 */
import { page, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import type { SimulatedIdp } from './provider.case.ts'

const realm = '/realms/corp'
export const entry = `${realm}/protocol/saml/clients/amazon-aws`

/** `otp`: a code is asked for after the password. */
export async function startKeycloakPages({ otp = false } = {}): Promise<SimulatedIdp & { url: string }> {
  const sessions = new Set<string>()
  const codes = new Set<string>()
  /** Forms that want a code. */
  const second = new Set<string>()
  let posts = 0
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let count = 0

  function form(origin: string, error = ''): Reply {
    count += 1
    codes.add(`c${count}`)
    const action = `${origin}${realm}/login-actions/authenticate?session_code=c${count}&amp;execution=e&amp;tab_id=t`
    return { headers: { 'set-cookie': `AUTH_SESSION_ID=a${count}; Path=/` }, body: loginPage(action, error) }
  }

  function otpForm(origin: string, error = ''): Reply {
    count += 1
    second.add(`c${count}`)
    const action = `${origin}${realm}/login-actions/authenticate?session_code=c${count}&amp;execution=e&amp;tab_id=t`
    return {
      body: page(
        'Sign in to corp',
        `<form id="kc-otp-login-form" action="${action}" method="post"><label for="otp">One-time code</label>
        <input id="otp" name="otp" autocomplete="off" type="text" aria-invalid="${error && 'true'}">
        ${error && `<span id="input-error-otp-code" aria-live="polite">${error}</span>`}
        <input name="login" id="kc-login" type="submit" value="Log In"></form>`,
      ),
    }
  }

  function done(): Reply {
    sessions.add(`s${count}`)
    return { headers: { 'set-cookie': `KEYCLOAK_IDENTITY=s${count}; Path=/; HttpOnly` }, body: responsePage() }
  }

  function answer({ method, path, headers, fields }: Seen, origin: string): Reply {
    const url = new URL(path, origin)
    const session = /KEYCLOAK_IDENTITY=(\w+)/.exec(headers.cookie ?? '')?.[1]
    if (mode === 'strange')
      return { body: page('Dashboard', '<form action="/search"><input name="q"></form><p>Nothing to see</p>') }
    if (url.pathname === entry) return session && sessions.has(session) ? { body: responsePage() } : form(origin)
    if (url.pathname === `${realm}/login-actions/restart`) return form(origin)
    if (url.pathname !== `${realm}/login-actions/authenticate` || method !== 'POST')
      return { status: 404, body: page('We are sorry...', 'Page not found') }
    const code = url.searchParams.get('session_code') ?? ''
    if (second.delete(code)) return fields.get('otp') === '123456' ? done() : otpForm(origin, 'Invalid code.')
    posts += 1
    if (!codes.delete(code)) return { body: expiredPage }
    if (mode === 'locked')
      return form(origin, 'Invalid username or password. The account is locked after too many attempts.')
    if (fields.get('username') !== 'jane' || fields.get('password') !== 'correct horse')
      return form(origin, 'Invalid username or password.')
    return otp ? otpForm(origin) : done()
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${entry}`,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}

/** As version 26 draws it; `error` beside the user name. */
export function loginPage(action: string, error = ''): string {
  const invalid = error === '' ? '' : 'true'
  return page(
    'Sign in to corp',
    `<h1 id="kc-page-title">Sign in to your account</h1>
    <form id="kc-form-login" onsubmit="login.disabled = true; return true;" action="${action}" method="post" novalidate>
    <label for="username">Username or email</label><input id="username" name="username" value="" type="text" autocomplete="username" aria-invalid="${invalid}">
    <div id="input-error-container-username">${error && `<span id="input-error-username" aria-live="polite">${error}</span>`}</div>
    <label for="password">Password</label><input id="password" name="password" value="" type="password" autocomplete="current-password" aria-invalid="${invalid}">
    <button type="button" aria-label="Show password" data-password-toggle></button>
    <input type="hidden" id="id-hidden-input" name="credentialId"><button name="login" id="kc-login" type="submit">Sign In</button></form>`,
  )
}

export const expiredPage = page(
  'Sign in to corp',
  `<h1 id="kc-page-title">Page has expired</h1><p id="instruction1" class="instruction">
  To restart the login process <a id="loginRestartLink" href="${realm}/login-actions/restart?tab_id=t">Click here</a> .<br>
  To continue the login process <a id="loginContinueLink" href="${realm}/login-actions/authenticate?tab_id=t">Click here</a> .</p>`,
)
