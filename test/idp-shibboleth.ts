/**
 * A Shibboleth IdP on loopback: storage pages before and behind the log-in, a token that changes with every page, exactly
 * one event per post, and the views that may come in between.
 */
import { awsAcs, page, redirect, samlResponse, serve, type Reply, type Seen } from './fake-idp.ts'
import type { SimulatedIdp } from './provider.case.ts'

export type View =
  | 'spnego'
  | 'read'
  | 'login'
  | 'totp'
  | 'duo'
  | 'duo-frame'
  | 'expiring'
  | 'terms'
  | 'release'
  | 'boxes'
  | 'impersonation'
  | 'write'

export interface ShibbolethOptions {
  /** 3 has no token and other error elements. */
  readonly version?: 3 | 4 | 5
  readonly prefix?: string
  readonly cookie?: string
  /** Keys of the browser's storage. */
  readonly keys?: readonly string[]
  /** Between log-in and the end. */
  readonly views?: readonly View[]
  /** More of the log-in form: buttons, fields. */
  readonly extra?: string
  /** Fields of a site that renamed them. */
  readonly names?: readonly [user: string, password: string]
  /** In the place of the button, with the field that the server insists on. */
  readonly event?: { readonly html: string; readonly field: readonly [name: string, value: string] }
  readonly refusal?: string
  /** So many first flows are stale. */
  readonly stale?: number
  /** A simulator of Duo. */
  readonly duo?: string
  /** The last page, as it is written. */
  readonly response?: string
}

export interface SimulatedShibboleth extends SimulatedIdp {
  readonly url: string
  /** Executions in order, `e1s2`, with the fields that came. */
  readonly sent: { readonly execution: string; readonly fields: URLSearchParams }[]
  readonly problems: string[]
}

interface Flow {
  /** Number of the flow in its session. */
  readonly number: number
  readonly views: readonly View[]
  at: number
  token: string
}

/** Of the page for a token. */
export const rightCode = '123456'

export async function startShibboleth(options: ShibbolethOptions = {}): Promise<SimulatedShibboleth> {
  const { version = 4, prefix = '/idp', cookie = 'JSESSIONID', keys = ['shib_idp_session_ss'], views = [] } = options
  const service = `${prefix}/profile/SAML2/Unsolicited/SSO`
  const flows = new Map<string, Flow>()
  const counts = new Map<string, number>()
  const sessions = new Set<string>()
  const sent: { execution: string; fields: URLSearchParams }[] = []
  const problems: string[] = []
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  let stale = options.stale ?? 0

  const failed = (title: string, status = 400): Reply => ({
    status,
    body: page(`Web Login Service - ${title}`, `<h1>${title}</h1>`),
  })
  const broken = (title: string, status?: number): Reply => {
    problems.push(title)
    return failed(title, status)
  }
  const key = (flow: Flow): string => `e${flow.number}s${flow.at + 1}`
  const escaped = (text: string): string => text.replace(/[^\w.,-]/g, c => `&#x${c.charCodeAt(0).toString(16)};`)
  const actionOf = (flow: Flow): string => escaped(`${service}?execution=${key(flow)}`)

  function show(flow: Flow, error = ''): Reply {
    flow.token = `_${key(flow)}-${Math.random().toString(36).slice(2)}`
    const token = version === 3 ? '' : `<input type="hidden" name="csrf_token" value="${flow.token}">`
    const form = (inside: string, attributes = ''): string =>
      `<form action="${actionOf(flow)}" method="post"${attributes}>${token}${inside}</form>`
    const proceed = '<button type="submit" name="_eventId_proceed">Proceed</button>'
    const storage = (fields: string): string =>
      form(
        `${fields}<input name="_eventId_proceed" type="hidden"><noscript><input type="submit" value="Continue"></noscript>`,
        ' name="form1"',
      )
    const field = (name: string): string =>
      `<input type="hidden" name="${name}"${/_success\./.test(name) ? ' value="false"' : ''}>`
    const notice =
      error === ''
        ? ''
        : version === 3
          ? `<p class="form-element form-error">${error}</p>`
          : `<p class="output-message output--error">${error}</p>`
    const heading = 'Web Login Service'
    switch (flow.views[flow.at]) {
      case 'spnego': {
        const next = `${service}?execution=${key(flow)}&_eventId=proceed`
        return {
          status: 401,
          headers: { 'www-authenticate': 'Negotiate' },
          body: page(heading, `<a href="${next}">go on</a>`, `onload="window.location = '${next}'"`),
        }
      }
      case 'read': {
        const names = keys.flatMap(each => [
          `shib_idp_ls_exception.${each}`,
          `shib_idp_ls_success.${each}`,
          `shib_idp_ls_value.${each}`,
        ])
        const title = version === 3 ? `${heading} - Loading Session State...` : 'Loading Session Information'
        return {
          body: page(title, storage([...names, 'shib_idp_ls_supported'].map(field).join('')), 'onload="doLoad()"'),
        }
      }
      case 'write': {
        const names = keys.flatMap(each => [`shib_idp_ls_exception.${each}`, `shib_idp_ls_success.${each}`])
        return { body: page('Saving Session Information', storage(names.map(field).join('')), 'onload="doSave()"') }
      }
      case 'login': {
        const [user, password] = options.names ?? ['j_username', 'j_password']
        const boxes =
          '<input type="checkbox" name="donotcache" value="1"><input type="checkbox" name="_shib_idp_revokeConsent" value="true">'
        const button = options.event?.html ?? '<button type="submit" name="_eventId_proceed">Login</button>'
        return {
          body: page(
            heading,
            `${notice}${form(`<input name="${user}" type="text"><input type="password" name="${password}">${boxes}${options.extra ?? ''}${button}`)}`,
          ),
        }
      }
      case 'totp':
        return {
          body: page(
            'Second factor',
            `${notice}${form(`<label for="c">Token code</label><input id="c" name="j_tokencode" type="text">${proceed}`)}`,
          ),
        }
      case 'duo':
        return redirect(
          `${options.duo}/oauth/v1/authorize?state=st${flow.number}&redirect_uri=${encodeURIComponent(`${origin}${prefix}/profile/Authn/Duo/2FA/duo-callback`)}`,
        )
      case 'duo-frame': {
        const host = new URL(options.duo ?? '').host
        return {
          body: page(
            'Duo',
            `<iframe id="duo_iframe" data-host="${host}" data-sig-request="TX&#x7c;abc|1:APP|def|2" data-post-action="${actionOf(flow)}"></iframe>
            <form method="post" id="duo_form">${token}<input type="hidden" name="_eventId" value="proceed"></form><a href="${service}?execution=${key(flow)}&_eventId=cancel&csrf_token=${flow.token}">Cancel</a>`,
          ),
        }
      }
      case 'expiring': {
        const next = `${service}?execution=${key(flow)}&amp;_eventId_proceed=1`
        return {
          body: page(
            'Expiring password',
            `<p>Your password will expire in 3 days.</p><a href="${prefix}/login-retry">change</a><a href="${next}">here</a>`,
          ).replace('<head>', `<head><meta http-equiv="refresh" content="20;url=${next}">`),
        }
      }
      case 'terms':
        return {
          body: page(
            'Terms of Use',
            `<form action="${actionOf(flow)}" method="post"><fieldset><form action="${actionOf(flow)}" method="post">${token}<p>Be good.</p><input type="checkbox" name="_shib_idp_consentIds" value="tou-1" required></fieldset>${proceed}</form>
            <form action="${actionOf(flow)}" method="post">${token}<button name="_eventId_TermsRejected">Refuse</button></form></form>`,
          ),
        }
      case 'release':
      case 'boxes': {
        const values = ['mail', 'mail', 'uid', 'eduPersonEntitlement', 'displayName']
        const ids =
          flow.views[flow.at] === 'release'
            ? values.map(id => `<input type="hidden" name="_shib_idp_consentIds" value="${id}">`)
            : ['mail', 'uid'].map(id => `<input type="checkbox" name="_shib_idp_consentIds" value="${id}" checked>`)
        const radios = ['doNotRemember', 'remember', 'global'].map(
          name =>
            `<input type="radio" name="_shib_idp_consentOptions" value="_shib_idp_${name}Consent"${name === 'remember' ? ' checked' : ''}>`,
        )
        return {
          body: page(
            'Information Release',
            `<p>You share your mail.</p>${form(`${ids.join('')}</fieldset>${radios.join('')}<button type="submit" name="_eventId_AttributeReleaseRejected">Reject</button><button type="submit" name="_eventId_proceed">Accept</button>`)}`,
          ),
        }
      }
      case 'impersonation':
        return {
          body: page(
            'Impersonation',
            form(
              '<input name="principal" type="text"><button name="_eventId_impersonate">Impersonate</button><button name="_eventId_proceed">Continue normally</button>',
            ),
          ),
        }
      default: {
        const base64 = samlResponse().replaceAll('=', '&#x3d;').replaceAll('+', '&#x2b;')
        const form = `<form action="${escaped(awsAcs)}" method="post"><input type="hidden" name="SAMLResponse"\nvalue="${base64}"\n/></form>`
        return { body: options.response ?? page('', form, 'onload="document.forms[0].submit()"') }
      }
    }
  }

  /** What the server makes of a post: an error page, the same view with an error, or nothing to complain about. */
  function judge(flow: Flow, fields: URLSearchParams, session: string): Reply | undefined {
    const view = flow.views[flow.at]
    const consents = fields.getAll('_shib_idp_consentIds').join()
    const wanted: Readonly<Partial<Record<View, string>>> = {
      terms: 'tou-1',
      release: 'mail,mail,uid,eduPersonEntitlement,displayName',
      boxes: 'mail,uid',
    }
    if (view === 'read' || view === 'write') {
      const names = keys.flatMap(each => [`shib_idp_ls_exception.${each}`, `shib_idp_ls_success.${each}`])
      if (view === 'read') names.push('shib_idp_ls_supported', ...keys.map(each => `shib_idp_ls_value.${each}`))
      if (view === 'write' && fields.has('shib_idp_ls_supported'))
        return broken('Uncaught Exception: a field too many', 500)
      return names.every(name => fields.has(name)) ? undefined : broken('Uncaught Exception: a field is missing', 500)
    }
    if (view !== undefined && wanted[view] !== undefined) {
      if (view !== 'terms' && fields.get('_shib_idp_consentOptions') !== '_shib_idp_rememberConsent')
        return broken('another radio button')
      return consents === wanted[view] ? undefined : broken(`consent to ${consents}`)
    }
    if (view === 'totp') {
      if (fields.has('j_password')) return broken('the password came to a second factor')
      return fields.get('j_tokencode') === rightCode ? undefined : show(flow, 'The code was wrong.')
    }
    if (view === 'duo-frame')
      return fields.get('sig_response') === 'AUTH|cookie:APP|def|2' ? undefined : broken('another sig_response')
    if (view === 'impersonation') return fields.get('principal') === '' ? undefined : broken('a principal')
    if (view !== 'login') return broken(`a post to ${view}`)
    posts += 1
    const [user, password] = options.names ?? ['j_username', 'j_password']
    const { field } = options.event ?? {}
    if (field && fields.get(field[0]) !== field[1]) return broken(`${field[0]} is missing`)
    if (fields.has('_shib_idp_revokeConsent') || fields.has('donotcache'))
      return broken('Uncaught Exception: a box', 500)
    if (mode === 'locked') return show(flow, 'Your account is locked.')
    if (fields.get(user) !== 'jane' || fields.get(password) !== 'correct horse') {
      return show(flow, options.refusal ?? 'Das eingegebene Passwort war falsch.')
    }
    sessions.add(session)
    return undefined
  }

  function advance(flow: Flow): Reply {
    flow.at += 1
    return redirect(`${service}?execution=${key(flow)}`)
  }

  function enter(session: string): Reply {
    const id = session || `j${(count += 1)}`
    const number = (counts.get(id) ?? 0) + 1
    counts.set(id, number)
    const storage = keys.length > 0
    const known = sessions.has(id)
    const start: View[] = storage && !known ? ['read', 'login'] : known ? [] : ['login']
    const spnego = views.filter(view => view === 'spnego')
    const rest = known ? [] : views.filter(view => view !== 'spnego')
    flows.set(id, {
      number,
      views: [...spnego, ...start, ...rest, ...(storage ? (['write'] as const) : [])],
      at: 0,
      token: '',
    })
    const secure = cookie.startsWith('__Host-') ? 'Path=/; Secure' : `Path=${prefix}`
    return redirect(`${service}?execution=e${number}s1`, { 'set-cookie': `${cookie}=${id}; ${secure}; HttpOnly` })
  }

  let origin = ''
  function answer({ method, path, headers, fields }: Seen, own: string): Reply {
    origin = own
    if (mode === 'strange') return { body: page('Portal', '<p>Welcome to the portal</p><a href="/a">A</a>') }
    const url = new URL(path, own)
    const session = new RegExp(`(?:^|; )${cookie}=(\\w+)`).exec(headers.cookie ?? '')?.[1] ?? ''
    const flow = flows.get(session)
    if (url.pathname === `${prefix}/profile/Authn/Duo/2FA/duo-callback`) {
      if (
        !flow ||
        flow.views[flow.at] !== 'duo' ||
        url.searchParams.get('state') !== `st${flow.number}` ||
        url.searchParams.get('code') !== 'duo-code'
      )
        return broken('Duo came back wrong')
      return advance(flow)
    }
    const execution = url.searchParams.get('execution')
    if (
      url.pathname !== service ||
      (execution === null && url.searchParams.get('providerId') !== 'urn:amazon:webservices')
    )
      return broken(`unexpected ${method} ${path}`)
    if (execution === null) return enter(session)
    if (stale > 0) {
      stale -= 1
      return failed('Stale Request')
    }
    if (!flow || execution !== key(flow)) return failed('Stale Request')
    if (method === 'GET') {
      const event = [...url.searchParams.keys()].find(name => name.startsWith('_eventId'))
      if (event === undefined) return show(flow)
      if (url.searchParams.get('_eventId') === 'cancel') return broken('cancelled')
      return flow.views[flow.at] === 'expiring' || flow.views[flow.at] === 'spnego'
        ? advance(flow)
        : broken('Invalid Event')
    }
    sent.push({ execution, fields })
    if (version !== 3 && fields.getAll('csrf_token').join() !== flow.token)
      return broken('Processing Error: CSRF token verification failed.')
    const events = [...fields]
      .filter(([name]) => name.startsWith('_eventId'))
      .map(([name, value]) => (name === '_eventId' ? `_eventId_${value}` : name))
    const event =
      flow.views[flow.at] === 'login' && options.event && !options.event.html.includes('_eventId')
        ? ''
        : '_eventId_proceed'
    if (events.join() !== event) return broken(`Invalid Event: ${events.join()}`)
    return judge(flow, fields, session) ?? advance(flow)
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${service}?providerId=urn:amazon:webservices`,
    sent,
    problems,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
