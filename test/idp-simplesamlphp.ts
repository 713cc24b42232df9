/**
 * SimpleSAMLphp on loopback, as far as its pages go: version 1 keeps its state in a hidden field, version 2 in the query
 * of the action, and a body field of that name counts for nothing.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import type { SimulatedIdp } from './provider.case.ts'

export async function startSimplesamlphp(
  version: 1 | 2,
  base = '/simplesaml',
): Promise<SimulatedIdp & { url: string }> {
  const script = version === 1 ? `${base}/module.php/core/loginuserpass.php` : `${base}/module.php/core/loginuserpass`
  const sessions = new Set<string>()
  const posts: Seen[] = []
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let count = 0

  function form(state: string, error = ''): string {
    const notice =
      error === ''
        ? ''
        : version === 1
          ? `<div><img src="/resources/icons/x.png" class="erroricon"><h2>Error</h2><p>${error}</p></div>`
          : `<div class="message-box error"><h3>${error}</h3></div>`
    const action = version === 1 ? '?' : `${script}?AuthState=${encodeURIComponent(state).replaceAll('&', '&amp;')}`
    const hidden =
      version === 1 ? `<input type="hidden" name="AuthState" value="${state.replaceAll('&', '&amp;')}">` : ''
    return page(
      'Enter your username and password',
      `${notice}<form action="${action}" method="post" name="f"><input type="text" name="username" value=""><input type="password" name="password">
      <input type="checkbox" name="remember_me" value="Yes"><button id="submit_button">Login</button>${hidden}</form>`,
    )
  }

  function answer({ method, path, headers, fields }: Seen, origin: string): Reply {
    const url = new URL(path, origin)
    const session = /SimpleSAMLSessionID=(\w+)/.exec(headers.cookie ?? '')?.[1]
    if (mode === 'strange')
      return { body: page('Dashboard', '<form action="/search"><input name="q"></form><p>Nothing to see</p>') }
    if (url.pathname === `${base}/saml2/idp/SSOService.php`) {
      if (url.searchParams.get('spentityid') !== 'urn:amazon:webservices')
        return { status: 500, body: page('Metadata not found', '') }
      if (session && sessions.has(session)) return { body: responsePage() }
      count += 1
      const state = `_${count}abc:${url.href}`
      const cookie = `SimpleSAMLSessionID=s${count}; path=/; HttpOnly`
      return redirect(`${script}?AuthState=${encodeURIComponent(state)}`, { 'set-cookie': cookie })
    }
    if (url.pathname !== script || !session) return { status: 404, body: page('Page not found', 'Page not found') }
    const state = (version === 2 || method === 'GET' ? url.searchParams : fields).get('AuthState')
    if (!state?.includes('spentityid='))
      return { status: 400, body: page('Error', '<h2>BADREQUEST</h2>Missing AuthState parameter') }
    if (method === 'GET') return { body: form(state) }
    posts.push({ method, path, headers, body: '', fields })
    if (mode === 'locked') return { body: form(state, 'Your account is locked') }
    if (fields.get('username') !== 'jane' || fields.get('password') !== 'correct horse')
      return { body: form(state, 'Incorrect username or password') }
    sessions.add(session)
    return { body: responsePage() }
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${base}`,
    posts: () => posts.length,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
