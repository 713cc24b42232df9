/**
 * A Shibboleth IdP on loopback: storage pages before and behind the log-in, a token that changes with every page, exactly
 * one event per post.
 */
import { awsAcs, page, redirect, samlResponse, serve, type Reply, type Seen } from './fake-idp.ts'
import type { SimulatedIdp } from './provider.case.ts'

interface Flow {
  step: 'read' | 'login' | 'write' | 'done'
  number: number
  token: string
}

export async function startShibboleth(): Promise<SimulatedIdp & { url: string }> {
  const flows = new Map<string, Flow>()
  const sessions = new Set<string>()
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0

  const failed = (title: string, status = 400): Reply => ({
    status,
    body: page(`Web Login Service - ${title}`, `<h1>${title}</h1>`),
  })

  function show(flow: Flow, error = ''): Reply {
    flow.number += 1
    flow.token = `_${flow.number}-${Math.random().toString(36).slice(2)}`
    const action = `&#x2f;idp&#x2f;profile&#x2f;SAML2&#x2f;Unsolicited&#x2f;SSO?execution&#x3d;e1s${flow.number}`
    const start = `<form name="form1" action="${action}" method="post"><input type="hidden" name="csrf_token" value="${flow.token}">`
    const storage = (names: string): string =>
      `${start}${names}<input name="_eventId_proceed" type="hidden"><noscript><input type="submit" value="Continue"></noscript></form>`
    if (flow.step === 'read') {
      const names = 'exception success value'
        .split(' ')
        .map(
          n =>
            `<input type="hidden" name="shib_idp_ls_${n}.shib_idp_session_ss"${n === 'success' ? ' value="false"' : ''}>`,
        )
      return {
        body: page(
          'Loading Session Information',
          storage(`${names.join('')}<input type="hidden" name="shib_idp_ls_supported">`),
          'onload="doLoad()"',
        ),
      }
    }
    if (flow.step === 'login') {
      const box =
        '<input type="checkbox" name="donotcache" value="1"><input type="checkbox" name="_shib_idp_revokeConsent" value="true">'
      return {
        body: page(
          'Web Login Service',
          `${error}${start}<input name="j_username" type="text"><input type="password" name="j_password">${box}<button type="submit" name="_eventId_proceed">Login</button></form>`,
        ),
      }
    }
    const names =
      '<input type="hidden" name="shib_idp_ls_exception.shib_idp_session_ss"><input type="hidden" name="shib_idp_ls_success.shib_idp_session_ss" value="false">'
    return { body: page('Saving Session Information', storage(names), 'onload="doSave()"') }
  }

  function answer({ method, path, headers, fields }: Seen, origin: string): Reply {
    if (mode === 'strange') return { body: page('Portal', '<p>Welcome to the portal</p><a href="/a">A</a>') }
    const url = new URL(path, origin)
    const session = /JSESSIONID=(\w+)/.exec(headers.cookie ?? '')?.[1] ?? ''
    const execution = url.searchParams.get('execution')
    if (execution === null) {
      count += 1
      const id = session || `j${count}`
      flows.set(id, { step: sessions.has(id) ? 'write' : 'read', number: 0, token: '' })
      return redirect('/idp/profile/SAML2/Unsolicited/SSO?execution=e1s0', {
        'set-cookie': `JSESSIONID=${id}; Path=/idp; HttpOnly`,
      })
    }
    const flow = flows.get(session)
    if (!flow || execution !== `e1s${flow.number}`) return failed('Stale Request')
    if (method === 'GET') return show(flow)
    if (fields.get('csrf_token') !== flow.token) return failed('Processing Error')
    if ([...fields.keys()].filter(name => name.startsWith('_eventId')).join() !== '_eventId_proceed')
      return failed('Invalid Event')
    if (flow.step === 'read') {
      if (!fields.has('shib_idp_ls_supported') || !fields.has('shib_idp_ls_value.shib_idp_session_ss'))
        return failed('Uncaught Exception', 500)
      flow.step = 'login'
      return show(flow)
    }
    if (flow.step === 'login') {
      posts += 1
      if (fields.has('_shib_idp_revokeConsent')) return failed('Uncaught Exception', 500)
      if (mode === 'locked') return show(flow, '<p class="output-message output--error">Your account is locked.</p>')
      if (fields.get('j_username') !== 'jane' || fields.get('j_password') !== 'correct horse') {
        return show(flow, '<p class="form-element form-error">Das eingegebene Passwort war falsch.</p>')
      }
      sessions.add(session)
      flow.step = 'write'
      return show(flow)
    }
    flows.delete(session)
    const acs = awsAcs.replaceAll(':', '&#x3a;').replaceAll('/', '&#x2f;').replaceAll('.', '&#x2e;')
    const form = `<form action="${acs}" method="post"><input type="hidden" name="SAMLResponse"\nvalue="${samlResponse().replaceAll('=', '&#x3d;').replaceAll('+', '&#x2b;')}"\n/></form>`
    return { body: page('', form, 'onload="document.forms[0].submit()"') }
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}/idp/profile/SAML2/Unsolicited/SSO?providerId=urn:amazon:webservices`,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
